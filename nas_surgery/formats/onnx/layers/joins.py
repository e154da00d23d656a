"""Layers with several sources."""

from collections.abc import Callable

from nas_surgery.formats.onnx.graph import Graph, Tensor
from nas_surgery.network import Add, Concat, Layer


def _add(graph: Graph, layer: Add, x: Tensor, *others: Tensor) -> Tensor:
    total = x.name
    for other in others:
        total = graph.node("Add", total, graph.alike(other, x))
    return graph.made(total, x.first)


def _concat(graph: Graph, layer: Concat, x: Tensor, *others: Tensor) -> Tensor:
    names = (x.name, *(graph.alike(other, x) for other in others))
    return graph.made(graph.node("Concat", *names, axis=1 if x.first else -1), x.first)


WRITERS: dict[type[Layer], Callable[..., Tensor]] = {Add: _add, Concat: _concat}
