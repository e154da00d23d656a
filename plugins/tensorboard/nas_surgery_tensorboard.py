"""Runs in TensorBoard: figures of each epoch, and the topology as a graph and as text.

It writes where the environment variable NAS_SURGERY_TENSORBOARD names a folder, and does nothing otherwise:

    NAS_SURGERY_TENSORBOARD=logs nas-surgery run spec.toml --out digits
    tensorboard --logdir logs

A run in the directory `digits` goes to `logs/digits`, a resumed one to the same place; a run in memory to a
folder that is named after the time.
"""

import os
import tempfile
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from nas_surgery.plugins.events import Event
from nas_surgery.plugins.tracking import Tracker, Trackers

FOLDER = "NAS_SURGERY_TENSORBOARD"


class TensorBoard(Tracker):
    """Scalars "search/training_loss" and so on, texts "spec", "topology" and "summary", and a graph."""

    def __init__(self, data: Mapping[str, Any], folder: Path) -> None:
        super().__init__(data)
        from tensorboardX import SummaryWriter

        self._writer = SummaryWriter(str(folder))
        self._epoch = 0
        self._writer.add_text("spec", as_code(_lines(data["spec"])), 0)

    def figures(self, line: str, epoch: int, values: Mapping[str, float]) -> None:
        for name, value in values.items():
            self._writer.add_scalar(f"{line}/{name}", value, epoch)
        self._epoch = epoch

    def finished(self, result: Any) -> None:
        summary = _lines(
            {key: result.summary[key] for key in ("accuracy", "parameters", "stopped")}
        )
        self._writer.add_text("summary", as_code(summary), self._epoch)
        self._writer.add_text("topology", as_code(result.network.summary()), self._epoch)
        self._writer.file_writer.add_onnx_graph(graph_of(result.network))
        self._writer.close()

    def failed(self, reason: str) -> None:
        self._writer.add_text("failed", as_code(reason), self._epoch)
        self._writer.close()


def graph_of(network: Any) -> Any:
    """A network as the GraphDef that TensorBoard draws: a node for each layer, with what it reads."""
    from tensorboardX.proto.attr_value_pb2 import AttrValue
    from tensorboardX.proto.graph_pb2 import GraphDef
    from tensorboardX.proto.node_def_pb2 import NodeDef
    from tensorboardX.proto.tensor_shape_pb2 import TensorShapeProto as Shape
    from tensorboardX.proto.versions_pb2 import VersionDef

    def node(address: int, kind: str, sources: tuple[int, ...]) -> Any:
        sizes = [Shape.Dim(size=size) for size in (-1, *network.shapes[address + 1])]
        shape = AttrValue(list=AttrValue.ListValue(shape=[Shape(dim=sizes)]))
        inputs = [names[source] for source in sources]
        return NodeDef(name=names[address], op=kind, input=inputs, attr={"_output_shapes": shape})

    kinds = {-1: "Input", **{i: type(each).__name__ for i, each in enumerate(network.layers)}}
    names = {address: f"{address}_{kind}" for address, kind in kinds.items()} | {-1: "input"}
    nodes = [node(-1, "Input", ())]
    nodes += [node(i, kinds[i], network.sources[i]) for i in range(len(network.layers))]
    return GraphDef(node=nodes, versions=VersionDef(producer=22))


def as_code(text: str) -> str:
    """Text that TensorBoard's Markdown leaves as it is."""
    return "\n".join(f"    {line}" for line in text.splitlines())


def _lines(values: Mapping[str, Any], prefix: str = "") -> str:
    """A line for each value, by dotted key."""
    return "\n".join(
        _lines(value, f"{prefix}{key}.")
        if isinstance(value, Mapping)
        else f"{prefix}{key} = {value}"
        for key, value in values.items()
    )


def folder_of(directory: str | None, logs: Path) -> Path:
    """Where a run is logged: under the path of its directory, or under the time.

    Two runs never share a folder, and a run that is resumed finds its own.
    """
    if directory is None:
        logs.mkdir(parents=True, exist_ok=True)
        return Path(tempfile.mkdtemp(prefix=f"{datetime.now():%Y-%m-%d-%H-%M-%S}-", dir=logs))
    path, here = Path(directory).resolve(), Path.cwd().resolve()
    parts = path.relative_to(here) if path.is_relative_to(here) else path.relative_to(path.anchor)
    return logs / parts


def _made(data: dict[str, Any]) -> TensorBoard | None:
    logs = os.environ.get(FOLDER)
    return TensorBoard(data, folder_of(data["directory"], Path(logs))) if logs else None


_trackers = Trackers(_made)


def nas_surgery_on_event(event: Event) -> None:
    """Pass runs on to TensorBoard."""
    _trackers(event)
