"""Layers that move values, or let them be."""

from collections.abc import Callable
from math import prod

from nas_surgery.formats.onnx.graph import Graph, Tensor
from nas_surgery.network import Dropout, Flatten, Layer, Rearrange


def _flatten(graph: Graph, layer: Flatten, x: Tensor) -> Tensor:
    alike = prod(x.shape[:-1]) == 1  # wherever the channels stand
    return graph.made(graph.node("Flatten", x.name if alike else graph.last(x), axis=1))


def _dropout(graph: Graph, layer: Dropout, x: Tensor) -> Tensor:
    return x


def _rearrange(graph: Graph, layer: Rearrange, x: Tensor) -> Tensor:
    name, channels = graph.last(x), x.shape[-1]
    if layer.shape != x.shape[:-1]:
        name = graph.node("Reshape", name, graph.whole(0, *layer.shape, channels))
    if layer.order != tuple(range(len(layer.order))):
        order = (0, *(axis + 1 for axis in layer.order), len(layer.order) + 1)
        name = graph.node("Transpose", name, perm=order)
    if layer.positions != layer.ordered:
        name = graph.node("Reshape", name, graph.whole(0, *layer.positions, channels))
    return graph.made(name)


WRITERS: dict[type[Layer], Callable[..., Tensor]] = {
    Flatten: _flatten,
    Dropout: _dropout,
    Rearrange: _rearrange,
}
