"""Layers that make one value of a window, or of all positions."""

from collections.abc import Callable

import attrs
import torch
from torch.nn import functional

import nas_surgery.network as ir
from nas_surgery.network.layers.windows import Windows
from nas_surgery_torch.operators.base import Arrays, Operator, Place
from nas_surgery_torch.operators.linear import sides

Function = Callable[..., torch.Tensor]

MAXIMA: tuple[Function, ...] = (
    functional.max_pool1d,
    functional.max_pool2d,
    functional.max_pool3d,
)
MEANS: tuple[Function, ...] = (
    functional.avg_pool1d,
    functional.avg_pool2d,
    functional.avg_pool3d,
)


def max_pool(layer: ir.MaxPool, place: Place) -> Operator:
    """What windows stand on beside the inputs is laid there first, unless torch's function does it."""
    pool, windows = MAXIMA[place.rank - 1], layer.windows
    inside, beside = within(windows, place.positions), around(windows, place.positions)

    def run(arrays: Arrays, x: torch.Tensor) -> torch.Tensor:
        if inside is None:
            padded = functional.pad(x, beside, value=float("-inf"))
            return pool(padded, layer.window, layer.strides, 0, layer.dilations)
        return pool(x, layer.window, layer.strides, inside, layer.dilations)

    return Operator(run, first=True)


def average_pool(layer: ir.AveragePool, place: Place) -> Operator:
    """The same with zeros; means over all of a window are then brought to what counts."""
    pool, windows = MEANS[place.rank - 1], layer.windows
    inside, beside = within(windows, place.positions), around(windows, place.positions)
    counts = layer.counts(place.positions).reshape(1, *windows.counts(place.positions))

    def run(arrays: Arrays, x: torch.Tensor) -> torch.Tensor:
        if inside is None:
            padded = functional.pad(x, beside)
            return pool(padded, layer.window, layer.strides) * arrays["factor"]
        return pool(x, layer.window, layer.strides, inside, False, layer.count_padding)

    return Operator(run, True, {"factor": torch.from_numpy(windows.places / counts)})


def global_average_pool(layer: ir.GlobalAveragePool, place: Place) -> Operator:
    """The mean of all positions."""
    return _over_positions(torch.mean, layer, place)


def global_max_pool(layer: ir.GlobalMaxPool, place: Place) -> Operator:
    """The largest value of all positions."""
    return _over_positions(torch.amax, layer, place)


def _over_positions(
    function: Function, layer: ir.GlobalAveragePool | ir.GlobalMaxPool, place: Place
) -> Operator:
    start = 2 if place.first else 1
    axes = tuple(range(start, start + place.rank))
    return Operator(lambda arrays, x: function(x, axes, layer.keep), place.first)


def within(windows: Windows, positions: ir.Shape) -> tuple[int, ...] | None:
    """The padding, where torch's functions do it themselves: even, of half a window at most, and no ceil."""
    pairs, floored = windows.pairs(positions), attrs.evolve(windows, ceil=False)
    even = all(b == a and 2 * b <= r for (b, a), r in zip(pairs, windows.reach, strict=True))
    fits = even and floored.counts(positions) == windows.counts(positions)
    return tuple(before for before, _ in pairs) if fits else None


def around(windows: Windows, positions: ir.Shape) -> list[int]:
    """What windows stand on before and after the inputs, as torch's `pad` wants it."""
    axes = zip(
        positions,
        windows.counts(positions),
        windows.strides,
        windows.reach,
        windows.pairs(positions),
        strict=True,
    )
    return sides(tuple((b, max((m - 1) * s + reach - n - b, 0)) for n, m, s, reach, (b, _) in axes))
