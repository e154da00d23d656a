"""Norms over channels that are written in many operators, found again by what they do to rows of numbers."""

from collections.abc import Callable

import numpy as np

from nas_surgery.formats.onnx.importer.outside import Outside
from nas_surgery.formats.onnx.importer.settling import spread
from nas_surgery.formats.onnx.importer.sketch import Sketch
from nas_surgery.formats.onnx.importer.values import (
    Curve,
    Curved,
    Promise,
    Rowed,
    Unknown,
    Value,
    as_view,
)
from nas_surgery.formats.onnx.importer.views import View
from nas_surgery.network import Array, Layer, LayerNorm, RMSNorm, Softmax

LARGE, SMALL = 1e3, 1e-3  # sizes of rows that show factors, and what is added to variances
CLOSE = 1e-5


def rowed(view: View, axis: int, curve: Curve) -> Rowed:
    """The beginning of a function of rows."""
    return Rowed(view, axis, curve, _known)


def combined(
    sketch: Sketch, operator: Callable[[Array, Array], Array], a: Value | None, b: Value | None
) -> Value | None:
    """Two tensors, of which one is a function of rows; None where the other is of something else."""
    held = a if isinstance(a, Rowed) else b
    assert isinstance(held, Rowed)
    first, second = (_curve(sketch, held, value) for value in (a, b))
    if first is None or second is None:
        return None
    return Rowed(held.base, held.axis, lambda rows: operator(first(rows), second(rows)), _known)


def _curve(sketch: Sketch, held: Rowed, value: Value | None) -> Curve | None:
    """What a tensor is of the same rows."""
    if isinstance(value, np.ndarray):
        return _constant(sketch, held, value)
    if isinstance(value, Rowed | Curved) and value.base == held.base:
        return value.curve
    if value is None or isinstance(value, Unknown):
        return None
    view = as_view(sketch, value) if isinstance(value, Promise) else value
    return (lambda rows: rows) if view == held.base else None


def _constant(sketch: Sketch, held: Rowed, value: Array) -> Curve:
    _, row = spread(sketch, held.base, value)
    if any(size != 1 for size in row.shape[:-1]):
        raise Outside("a constant that differs from position to position, within a norm")
    flat = row.reshape(1, -1).astype(np.float64)
    return lambda rows: flat


def _known(sketch: Sketch, view: View, curve: Curve) -> View:
    """The view behind the layer that does the same to rows; Outside where it is no known one."""
    channels = view.shape[-1]
    rows = np.random.default_rng(0).normal(size=(4, channels))
    with np.errstate(all="ignore"):
        layer = _layer(rows, curve) if channels > 1 else None
    if layer is None:
        raise Outside("it goes over channels, and is no norm that is known")
    return sketch.on(view, layer)


def _layer(rows: Array, curve: Curve) -> Layer | None:
    found = curve(rows)
    if found.shape != rows.shape or not np.isfinite(found).all():
        return None
    for make in (_softmax, _layer_norm, _rms_norm):
        layer = make(rows, curve)
        if layer is not None and _same(layer.forward(rows), found):
            return layer
    return None


def _same(a: Array, b: Array) -> bool:
    return bool((np.abs(a - b) <= CLOSE * np.maximum(1, np.abs(b))).all())


def _softmax(rows: Array, curve: Curve) -> Layer | None:
    return Softmax()


def _layer_norm(rows: Array, curve: Curve) -> Layer | None:
    def norm(x: Array) -> tuple[Array, Array]:
        centred = x - x.mean(-1, keepdims=True)
        return centred, (centred**2).mean(-1, keepdims=True)

    fitted = _fitted(rows, curve, norm)
    return None if fitted is None else LayerNorm(*fitted[:2], epsilon=fitted[2])


def _rms_norm(rows: Array, curve: Curve) -> Layer | None:
    fitted = _fitted(rows, curve, lambda x: (x, (x**2).mean(-1, keepdims=True)))
    if fitted is None or fitted[1].any():
        return None
    return RMSNorm(fitted[0], epsilon=fitted[2])


def _fitted(
    rows: Array, curve: Curve, norm: Callable[[Array], tuple[Array, Array]]
) -> tuple[Array, Array, float] | None:
    """Scale, offset and epsilon with curve(x) = scale · c / √(v + epsilon) + offset, where norm(x) = c, v."""
    offset = curve(np.zeros_like(rows[:1]))[0]
    values, variance = norm(rows[:1] * LARGE)
    scale = ((curve(rows[:1] * LARGE) - offset) / (values / np.sqrt(variance)))[0]
    small, spare = norm(rows[:1] * SMALL)
    at = int(np.abs(small * scale).argmax())
    reached = (curve(rows[:1] * SMALL) - offset)[0, at]
    epsilon = float((scale[at] * small[0, at] / reached) ** 2 - spare[0, 0])
    if not (np.isfinite(scale).all() and np.isfinite(offset).all() and 0 < epsilon < 1):
        return None
    return scale.astype(np.float32), offset.astype(np.float32), epsilon
