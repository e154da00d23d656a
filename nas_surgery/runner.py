"""`run`: a spec in, one better network out."""

import json
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from platform import python_version
from typing import Any

from threadpoolctl import threadpool_limits

from nas_surgery.errors import RunError
from nas_surgery.files import write_atomically
from nas_surgery.network import Network
from nas_surgery.network.storage import to_bytes
from nas_surgery.onnx_io import check_onnx, export_onnx
from nas_surgery.preparation import Preparation, prepare
from nas_surgery.result import ParetoPoint, Result, in_target_units
from nas_surgery.search.driver import Driver, Observer, SearchResult
from nas_surgery.search.events import Event
from nas_surgery.search.executors import LocalExecutor
from nas_surgery.search.jobs import Job, Outcome
from nas_surgery.search.journal import Journal, plain
from nas_surgery.search.workbench import Workbench
from nas_surgery.spec import Spec

CHECK_SAMPLES = 64


def run(
    spec: Spec | str | Path | Mapping[str, Any],
    *,
    network: Network | None = None,
    data: Any = None,
    out: str | Path | None = None,
    overrides: Mapping[str, Any] | None = None,
    baseline: bool = False,
    observers: Sequence[Observer] = (),
) -> Result:
    """Search for a better network while training it.

    spec: a Spec, the path of a TOML file, or nested values. network: a start topology with weights,
    used as it is. data: a Dataset, (x, y[, x_test, y_test]), or a mapping with the keys of an npz
    source. out: a new run directory, or None to keep everything in memory. overrides: values by
    dotted key. baseline: also train the start topology for as many epochs. observers: functions that
    are told every Event. Raises a NasSurgeryError before anything is written if something is wrong.
    """
    made = prepare(_as_spec(spec, overrides), network, data)
    directory = None if out is None else Path(out)
    _make_directory(directory, made.spec)
    with threadpool_limits(limits=made.spec.run.threads):
        return _Run(made, directory, observers).carry_out(baseline)


def _as_spec(
    spec: Spec | str | Path | Mapping[str, Any], overrides: Mapping[str, Any] | None
) -> Spec:
    if isinstance(spec, Spec):
        return Spec.from_dict(spec.to_dict(), overrides)
    if isinstance(spec, Mapping):
        return Spec.from_dict(spec, overrides)
    return Spec.from_toml(spec, overrides)


def _make_directory(directory: Path | None, spec: Spec) -> None:
    if directory is None:
        return
    if (directory / "journal.jsonl").exists():
        raise RunError(f"{directory}: holds a run already; choose another directory")
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(f"{directory}: cannot be made: {error.strerror}") from None
    write_atomically(directory / "spec.toml", spec.to_toml().encode())


class _Run:
    """One run with its directory."""

    def __init__(
        self, made: Preparation, directory: Path | None, observers: Sequence[Observer]
    ) -> None:
        self.made, self.directory = made, directory
        self.journal = Journal(None if directory is None else directory / "journal.jsonl")
        self.bench = Workbench(
            made.backend,
            made.device,
            made.recipe,
            made.network,
            made.splits.train,
            made.splits.validation,
            lambda name: self._owner(name),
        )
        log = [] if directory is None else [_EventLog(directory / "events.jsonl")]
        self.driver = Driver(made, LocalExecutor(self.bench), self.journal, [*observers, *log])

    def carry_out(self, baseline: bool) -> Result:
        self.journal.write("run", **self._header())
        self.driver._tell("run_started", self._header())
        found = self.driver.search()
        reference = self._baseline() if baseline else None
        self.journal.write("result", winner=found.winner.job, operations=list(found.operations))
        network = self._final(found.winner)
        summary = self._summary(found, reference)
        self._export(network, found, summary)
        self.driver._tell("run_finished", summary)
        self.journal.close()
        points = tuple(self._point(outcome) for outcome in found.front.outcomes)
        return Result(network, self.journal.records, summary, points, self.directory)

    def _baseline(self) -> dict[str, Any]:
        """The start topology, trained like the winner but without surgery."""
        steps = self.made.spec.search.max_epochs * self.made.steps_per_epoch
        outcome = self.driver.perform(Job(-1, None, (), steps, "baseline"))
        self.journal.write("baseline", **outcome.to_json())
        if outcome.failed:
            reason = outcome.failure.reason if outcome.failure else ""
            return {"accuracy": {"validation": None, "test": None}, "failure": reason}
        return self._figures(outcome)

    def _figures(self, outcome: Outcome) -> dict[str, Any]:
        """Accuracy, size and topology of one trained network; the test part is read here only."""
        network, test = outcome.network, self.made.splits.test
        accuracy = None if test is None else self.bench.evaluate(network, test).accuracy
        return {
            "accuracy": {"validation": outcome.accuracy, "test": accuracy},
            "loss": {"validation": outcome.loss},
            "parameters": network.parameter_count,
            "hidden": list(network.hidden),
        }

    def _summary(self, found: SearchResult, baseline: dict[str, Any] | None) -> dict[str, Any]:
        made, spec, figures = self.made, self.made.spec, self._figures(found.winner)
        return {
            "backend": made.backend.name,
            "device": made.device,
            "seed": spec.seed,
            "strategy": spec.search.strategy,
            "score": spec.search.score,
            "data": self._data(),
            "metric": made.splits.metric,
            "hidden": {"start": list(made.network.hidden), "end": figures["hidden"]},
            "parameters": {"start": made.network.parameter_count, "end": figures["parameters"]},
            "accuracy": figures["accuracy"],
            "loss": figures["loss"],
            "baseline": baseline,
            "cost": self._cost(found),
            "operations": list(found.operations),
            "parents": list(found.lineage),
            "stopped": found.stopped,
            "versions": self._versions(),
        }

    def _cost(self, found: SearchResult) -> dict[str, Any]:
        cost, samples = found.cost, len(self.made.splits.train)
        epochs = self.made.spec.search.max_epochs
        reference = 3 * found.winner.network.macs * samples * epochs
        return {
            "samples": cost.training_samples,
            "macs": cost.macs,
            "seconds": round(self.driver.seconds, 3),
            "epoch_equivalents": cost.training_samples / samples,
            "relative": cost.training_macs / reference,
        }

    def _export(self, network: Network, found: SearchResult, summary: dict[str, Any]) -> None:
        """Write the winner, and check the ONNX file under onnxruntime before the run is called done."""
        sample = self.made.splits.validation.x[:CHECK_SAMPLES]
        content = export_onnx(network, plain(self._metadata(found, summary)))
        summary["onnx_difference"] = check_onnx(content, network, sample)
        if self.directory is None:
            return
        weights = to_bytes(network)
        write_atomically(self.directory / "winner.safetensors", weights)
        write_atomically(self.directory / "winner.onnx", content)
        text = json.dumps(plain(summary), indent=2, ensure_ascii=False) + "\n"
        write_atomically(self.directory / "summary.json", text.encode())

    def _metadata(self, found: SearchResult, summary: dict[str, Any]) -> dict[str, Any]:
        splits = self.made.splits
        return {
            "score": {
                "name": self.made.spec.search.score,
                splits.metric: found.winner.accuracy,
                "loss": found.winner.loss,
            },
            "parents": list(found.lineage),
            "operations": list(found.operations),
            "seed": self.made.spec.seed,
            "class_names": list(splits.class_names),
            "scaling": self.made.spec.data.scaling,
            "versions": summary["versions"],
        }

    def _header(self) -> dict[str, Any]:
        """What the results depend on."""
        return {
            "spec": self.made.spec.to_dict(),
            "data": self._data(),
            "device": self.made.device,
            "versions": self._versions(),
            "plugins": [
                {"name": p.name, "version": p.version}
                for p in self.made.registry.plugins
                if not p.error
            ],
        }

    def _data(self) -> dict[str, Any]:
        splits = self.made.splits
        return {
            "source": self.made.spec.data.source,
            "train": len(splits.train),
            "validation": len(splits.validation),
            "test": None if splits.test is None else len(splits.test),
            "sha256": splits.digest(),
        }

    def _versions(self) -> dict[str, str]:
        own = {"nas-surgery": metadata.version("nas-surgery"), "python": python_version()}
        return {**own, "numpy": metadata.version("numpy"), **self.made.backend.versions()}

    def _point(self, outcome: Outcome) -> ParetoPoint:
        network = self._final(outcome)
        count = network.parameter_count
        return ParetoPoint(network, count, outcome.loss, outcome.accuracy, outcome.job)

    def _final(self, outcome: Outcome) -> Network:
        splits = self.made.splits
        return in_target_units(outcome.network, splits.target_mean, splits.target_scale)

    def _owner(self, operation: str) -> str | None:
        if operation not in self.made.registry.names("operations"):
            return None
        owner = self.made.registry.owner("operations", operation)
        return f"{owner.name} {owner.version}"


class _EventLog:
    """Writes events with their times beside the journal."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("a", encoding="utf-8")

    def __call__(self, event: Event) -> None:
        record = {"time": round(event.time, 6), "kind": event.kind, **plain(event.data)}
        self._file.write(json.dumps(record, ensure_ascii=False) + "\n")
        self._file.flush()
        if event.kind == "run_finished":
            self._file.close()
