"""Pools."""

from collections.abc import Callable

import attrs
import numpy as np

from nas_surgery.formats.onnx.graph import Graph, Tensor
from nas_surgery.formats.onnx.layers.linear import window_attributes
from nas_surgery.network import AveragePool, GlobalAveragePool, GlobalMaxPool, Layer, MaxPool, Shape
from nas_surgery.network.layers.windows import Windows


def _max_pool(graph: Graph, layer: MaxPool, x: Tensor) -> Tensor:
    steps = window_attributes(_all_padded(layer.windows, x.shape[:-1]), x.shape[:-1])
    return graph.made(graph.node("MaxPool", _unfused(graph, x), **steps), first=True)


def _average_pool(graph: Graph, layer: AveragePool, x: Tensor) -> Tensor:
    positions = x.shape[:-1]
    windows = _all_padded(layer.windows, positions)
    steps = window_attributes(windows, positions)
    counted = int(layer.count_padding)
    name = graph.node("AveragePool", _unfused(graph, x), count_include_pad=counted, **steps)
    if counted and windows.padding != layer.windows.padding:
        counts = layer.counts(positions)
        share = graph.own("share", np.moveaxis(windows.places / counts, -1, 0))
        name = graph.node("Mul", name, share)
    return graph.made(name, first=True)


def _unfused(graph: Graph, x: Tensor) -> str:
    """The tensor, channels first, with a node behind a Pad that changes nothing.

    onnxruntime takes a Pad into the pool behind it, where its zeros do not count.
    """
    name = graph.first(x)
    if graph.maker(name) != "Pad":
        return name
    return graph.node("Max", name, graph.number(float(np.finfo(np.float32).min)))


def _all_padded(windows: Windows, positions: Shape) -> Windows:
    """The same windows with what ceil adds as padding: runtimes disagree on what counts there."""
    if not windows.ceil:
        return windows
    axes = zip(
        positions,
        windows.counts(positions),
        windows.strides,
        windows.reach,
        windows.pairs(positions),
        strict=True,
    )
    sides = tuple((b, max((m - 1) * s + r - n - b, a)) for n, m, s, r, (b, a) in axes)
    return attrs.evolve(windows, padding=sides, ceil=False)


def _global(graph: Graph, layer: GlobalAveragePool | GlobalMaxPool, x: Tensor) -> Tensor:
    start = 2 if x.first else 1
    axes = graph.whole(*range(start, start + x.rank - 2))
    name = graph.node(_REDUCES[type(layer)], x.name, axes, keepdims=int(layer.keep))
    return graph.made(name, x.first)


_REDUCES: dict[type[Layer], str] = {GlobalAveragePool: "ReduceMean", GlobalMaxPool: "ReduceMax"}

WRITERS: dict[type[Layer], Callable[..., Tensor]] = {
    MaxPool: _max_pool,
    AveragePool: _average_pool,
    GlobalAveragePool: _global,
    GlobalMaxPool: _global,
}
