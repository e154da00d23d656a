"""Which activation a function of single values is, found by its values."""

from collections.abc import Iterator

import numpy as np

from nas_surgery.formats.onnx.importer.sketch import Sketch
from nas_surgery.formats.onnx.importer.values import Curve
from nas_surgery.formats.onnx.importer.views import View
from nas_surgery.network import Activation, Array, Layer, NetworkError, Scale, Shift
from nas_surgery.network.functions import FUNCTIONS

GRID = np.concatenate([np.linspace(-12, 12, 241), [-1e4, -100.0, 100.0, 1e4]])
CLOSE = 2e-6  # constants of exporters are float32
BOUNDED = "clip"  # which does nothing without bounds


def known_curve(sketch: Sketch, view: View, curve: Curve) -> View | None:
    """The view behind the layers that compute a function of it; None where it is no known one."""
    with np.errstate(all="ignore"):
        found = curve(GRID)
    layers = _layers(found)
    if layers is None:
        return None
    for layer in layers:
        view = sketch.on(view, layer)
    return view


def is_known(curve: Curve) -> bool:
    """Whether there are layers that compute a function of single values."""
    with np.errstate(all="ignore"):
        return _layers(curve(GRID)) is not None


def _layers(found: Array) -> list[Layer] | None:
    """The layers that give these values on the grid."""
    if not np.isfinite(found).all():
        return None
    if (line := _line(found)) is not None:
        return line
    for layer in _candidates(found):
        with np.errstate(all="ignore"):
            if _same(layer.forward(GRID), found):
                return [layer]
    return _clipped(found)


def _same(a: Array, b: Array) -> bool:
    return bool((np.abs(a - b) <= CLOSE * np.maximum(1, np.abs(b))).all())


def _line(found: Array) -> list[Layer] | None:
    """A factor and an offset; nothing at all for what leaves values as they are."""
    offset = _at(found, 0.0)
    factor = _at(found, 1.0) - offset
    if not _same(factor * GRID + offset, found):
        return None
    layers: list[Layer] = []
    if factor != 1:
        layers.append(Scale(np.array([factor], np.float32)))
    if offset != 0:
        layers.append(Shift(np.array([offset], np.float32)))
    return layers


def _clipped(found: Array) -> list[Layer] | None:
    """A line between two bounds."""
    low, high = found.min(), found.max()
    inside = np.flatnonzero((found > low) & (found < high))
    if len(inside) < 2:
        return None
    (x, z), (u, v) = GRID[inside[[0, -1]]], found[inside[[0, -1]]]
    factor = (v - u) / (z - x)
    line = factor * GRID + (u - factor * x)
    if not _same(np.clip(line, low, high), found):
        return None
    return [*(_line(line) or ()), Activation("clip", low=float(low), high=float(high))]


def _candidates(found: Array) -> Iterator[Layer]:
    for name in FUNCTIONS:
        if name != BOUNDED:
            yield Activation(name)
    low, high = float(found.min()), float(found.max())
    for name, settings in (
        ("leaky_relu", {"alpha": -_at(found, -1.0)}),
        ("elu", {"alpha": -_at(found, -100.0)}),
        ("celu", {"alpha": -_at(found, -100.0)}),
        ("clip", _bounds(low, high)),
    ):
        layer = _parametric(name, settings)
        if layer is not None:
            yield layer


def _bounds(low: float, high: float) -> dict[str, float]:
    bounds = {"low": low} if low > GRID.min() else {}
    return bounds | ({"high": high} if high < GRID.max() else {})


def _parametric(name: str, settings: dict[str, float]) -> Layer | None:
    try:
        return Activation(name, **settings)
    except NetworkError:
        return None


def _at(found: Array, x: float) -> float:
    return float(found[int(np.abs(GRID - x).argmin())])
