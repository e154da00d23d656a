"""Layers with several sources."""

from collections.abc import Callable

from nas_surgery.formats.onnx.graph import Graph, Tensor
from nas_surgery.network import Add, Concat, ConcatPositions, Layer, Multiply


def _elementwise(graph: Graph, layer: Add | Multiply, *xs: Tensor) -> Tensor:
    like = max(xs, key=lambda x: x.rank)
    total, *others = (_beside(graph, x, like) for x in xs)
    for other in others:
        total = graph.node(_KINDS[type(layer)], total, other)
    return graph.made(total, like.first)


def _beside(graph: Graph, x: Tensor, like: Tensor) -> str:
    """The name of the tensor such that it meets the channels of the other one, at all of its positions."""
    if x.rank == like.rank:
        return graph.alike(x, like)
    start = 2 if like.first else 1
    return graph.node("Unsqueeze", x.name, graph.whole(*range(start, start + like.rank - 2)))


def _concat(graph: Graph, layer: Concat, x: Tensor, *others: Tensor) -> Tensor:
    names = (x.name, *(graph.alike(other, x) for other in others))
    return graph.made(graph.node("Concat", *names, axis=1 if x.first else -1), x.first)


def _concat_positions(graph: Graph, layer: ConcatPositions, x: Tensor, *others: Tensor) -> Tensor:
    names = (x.name, *(graph.alike(other, x) for other in others))
    axis = layer.axis + (2 if x.first else 1)
    return graph.made(graph.node("Concat", *names, axis=axis), x.first)


_KINDS: dict[type[Layer], str] = {Add: "Add", Multiply: "Mul"}

WRITERS: dict[type[Layer], Callable[..., Tensor]] = {
    Add: _elementwise,
    Multiply: _elementwise,
    Concat: _concat,
    ConcatPositions: _concat_positions,
}
