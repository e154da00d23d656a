"""Runs in MLflow: the spec as parameters, figures of each epoch, the winner as an ONNX model, and the run's files.

It logs where a tracking server or store is named, by the environment variable MLFLOW_TRACKING_URI or in Python by
`mlflow.set_tracking_uri`, or where a run of MLflow's is active, which it then logs to; and does nothing otherwise:

    MLFLOW_TRACKING_URI=sqlite:///mlflow.db nas-surgery run spec.toml
"""

import os
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from nas_surgery.plugins.events import Event
from nas_surgery.plugins.tracking import Tracker, Trackers

URI = "MLFLOW_TRACKING_URI"
LONGEST = 500  # characters of a parameter, as every version of MLflow takes them
MOST = 1000  # metrics that one request may hold
FILES = (
    "summary.json",
    "spec.toml",
    "table.json",
    "report.html",
)  # of a run directory, as far as they are there
EVERY = 2.0  # seconds between requests: a server may take longer to answer than an epoch


class MLflow(Tracker):
    """One run of MLflow's: "search/training_loss" and so on an epoch, then what the summary says.

    A run that is active already is the caller's, who ends it.
    """

    def __init__(self, data: Mapping[str, Any]) -> None:
        super().__init__(data)
        import mlflow

        self._client = mlflow.MlflowClient()
        self._metrics: list[Any] = []
        self._sent = time.monotonic()
        active = mlflow.active_run()
        self._own = active is None
        directory = data["directory"]
        name = None if directory is None else Path(directory).resolve().name
        self._run = active or mlflow.start_run(run_name=name)
        tags = {
            "nas-surgery": data["versions"]["nas-surgery"],
            "directory": directory or "in memory",
        }
        spec = dict(_flat(data["spec"]))
        for key, value in {**spec, "data.sha256": data["data"]["sha256"]}.items():
            self._client.log_param(self._id, key, str(value)[:LONGEST])
        for key, value in tags.items():
            self._client.set_tag(self._id, f"nas_surgery.{key}", value)

    @property
    def _id(self) -> str:
        found: str = self._run.info.run_id
        return found

    def figures(self, line: str, epoch: int, values: Mapping[str, float]) -> None:
        self._note({f"{line}/{name}": value for name, value in values.items()}, epoch)
        if time.monotonic() - self._sent > EVERY:
            self._send()

    def finished(self, result: Any) -> None:
        self._note(dict(totals(result.summary)), 0)
        self._send()
        self._log_files(result.directory)
        log_winner(result.network)
        self._end("FINISHED")

    def failed(self, reason: str) -> None:
        self._send()
        self._client.set_tag(self._id, "nas_surgery.failed", reason)
        self._end("FAILED")

    def _note(self, values: Mapping[str, float], step: int) -> None:
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        self._metrics += [Metric(name, float(value), now, step) for name, value in values.items()]

    def _send(self) -> None:
        """Log what was noted."""
        for start in range(0, len(self._metrics), MOST):
            self._client.log_batch(self._id, metrics=self._metrics[start : start + MOST])
        self._metrics, self._sent = [], time.monotonic()

    def _log_files(self, directory: Path | None) -> None:
        for name in FILES if directory is not None else ():
            if (directory / name).is_file():
                self._client.log_artifact(self._id, str(directory / name))

    def _end(self, status: str) -> None:
        import mlflow

        if self._own:
            mlflow.end_run(status)


def log_winner(network: Any) -> None:
    """A network as the model "winner" of the active run, with a signature: raw inputs to outputs."""
    import mlflow
    import onnx
    from mlflow.models import ModelSignature
    from mlflow.types import Schema, TensorSpec

    from nas_surgery.formats.onnx.export import export_onnx

    model = onnx.load_from_string(export_onnx(network))
    shapes = (network.input_shape, network.output_shape)
    ends = (model.graph.input[0], model.graph.output[0])
    schemas = [
        Schema([TensorSpec(_dtype(end), (-1, *shape), end.name)])
        for end, shape in zip(ends, shapes, strict=True)
    ]
    mlflow.onnx.log_model(
        model,
        name="winner",
        signature=ModelSignature(*schemas),
        pip_requirements=["onnx", "onnxruntime", "numpy"],
        onnx_execution_providers=["CPUExecutionProvider"],
    )


def totals(summary: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """The figures of a summary by name, such as "accuracy/test"; what was not measured is left out."""
    chosen = {key: summary[key] for key in ("accuracy", "loss")}
    chosen |= {key: summary[key]["end"] for key in ("parameters", "macs")}
    chosen["cost"] = {
        key: summary["cost"][key] for key in ("relative", "epoch_equivalents", "seconds")
    }
    for key, value in _flat(chosen, "/"):
        if value is not None:
            yield key, value


def _flat(
    values: Mapping[str, Any], joint: str = ".", prefix: str = ""
) -> Iterator[tuple[str, Any]]:
    """Nested values one by one."""
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, joint, f"{prefix}{key}{joint}")
        else:
            yield f"{prefix}{key}", value


def _dtype(end: Any) -> "np.dtype[Any]":
    from onnx.helper import tensor_dtype_to_np_dtype

    return np.dtype(tensor_dtype_to_np_dtype(end.type.tensor_type.elem_type))


def _wanted() -> bool:
    """Whether somebody said where to; MLflow is not imported to find out."""
    if os.environ.get(URI):
        return True
    mlflow = sys.modules.get("mlflow")
    return mlflow is not None and bool(mlflow.is_tracking_uri_set() or mlflow.active_run())


_trackers = Trackers(lambda data: MLflow(data) if _wanted() else None)


def nas_surgery_on_event(event: Event) -> None:
    """Pass runs on to MLflow."""
    _trackers(event)
