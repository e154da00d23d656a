"""Layers that move values, or let them be."""

from collections.abc import Callable
from math import prod

from nas_surgery.formats.onnx.graph import Graph, Tensor
from nas_surgery.network import Dropout, Flatten, Layer


def _flatten(graph: Graph, layer: Flatten, x: Tensor) -> Tensor:
    alike = prod(x.shape[:-1]) == 1  # wherever the channels stand
    return graph.made(graph.node("Flatten", x.name if alike else graph.last(x), axis=1))


def _dropout(graph: Graph, layer: Dropout, x: Tensor) -> Tensor:
    return x


WRITERS: dict[type[Layer], Callable[..., Tensor]] = {Flatten: _flatten, Dropout: _dropout}
