"""Sums, differences, products and quotients: of branches, with constants by channel, with numbers."""

from collections.abc import Callable, Sequence

import attrs
import numpy as np

from nas_surgery.formats.onnx.importer.operators.attention import changed
from nas_surgery.formats.onnx.importer.operators.calls import Call, Made, makes
from nas_surgery.formats.onnx.importer.operators.elementwise import base_of, curved
from nas_surgery.formats.onnx.importer.operators.linear import with_bias
from nas_surgery.formats.onnx.importer.operators.recognition import known_curve
from nas_surgery.formats.onnx.importer.operators.rows import combined
from nas_surgery.formats.onnx.importer.outside import Outside
from nas_surgery.formats.onnx.importer.settling import aligned, on_channels, spread
from nas_surgery.formats.onnx.importer.sketch import Sketch
from nas_surgery.formats.onnx.importer.values import Curved, Rowed, Score, Value, as_view
from nas_surgery.formats.onnx.importer.views import View
from nas_surgery.network import Add, Array, Layer, Multiply, Normalize, PReLU, Scale, Shift
from nas_surgery.network.wires import INPUT

BINARY: dict[str, Callable[[Array, Array], Array]] = {
    "Add": np.add,
    "Sub": np.subtract,
    "Mul": np.multiply,
    "Div": np.divide,
    "Pow": np.power,
    "Max": np.maximum,
    "Min": np.minimum,
}


@makes("Add", "Sum", "Sub", "Mul", "Div", "Pow", "Max", "Min")
def binary(call: Call) -> Made:
    """Of two tensors, or several one after the other."""
    operator = {"Sum": "Add"}.get(call.node.operator, call.node.operator)
    result = call.inputs[0]
    others = [_broadcast(call, result, value) for value in call.inputs[1:]]
    for value in others:
        result = _pair(call, operator, result, value)
    if result is None or isinstance(result, np.ndarray):
        raise Outside("it has no input that depends on the network's")
    return result


def _broadcast(call: Call, a: Value | None, b: Value | None) -> Value | None:
    """The second input as opsets before 7 have it: its axes begin at the one that an attribute names."""
    axis = call.setting("axis")
    if call.version >= 7 or axis is None or not isinstance(b, np.ndarray):
        return b
    more = _rank(call.sketch, a) - int(axis) - b.ndim
    if more < 0 or axis < 0:
        raise Outside(f"its axis {axis} does not fit")
    return b.reshape(b.shape + (1,) * more)


def _pair(call: Call, operator: str, a: Value | None, b: Value | None) -> Value:
    if isinstance(a, Score) or isinstance(b, Score):
        return changed(operator, a, b)
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
        return BINARY[operator](a, b)
    if isinstance(a, Rowed) or isinstance(b, Rowed):
        found = combined(call.sketch, BINARY[operator], a, b)
        if found is not None:
            return found
    if isinstance(b, np.ndarray):
        return _with_constant(call, operator, a, b)
    if isinstance(a, np.ndarray):
        return _constant_first(call, operator, a, b)
    return _joined(call.sketch, operator, a, b)


def _with_constant(call: Call, operator: str, a: Value | None, b: Array) -> Value:
    if b.size == 1 and b.ndim <= _rank(call.sketch, a):
        number = b.astype(np.float64).reshape(())
        known = operator in ("Add", "Sub", "Mul", "Div")
        if operator in ("Add", "Sub") and call.alone and isinstance(a, View):
            merged = with_bias(call.sketch, a, (b if operator == "Add" else -b).reshape(-1))
            if merged is not None:
                return merged
        layer = _linear(call.sketch, operator, b) if known else _none
        return curved(call.sketch, a, lambda x: BINARY[operator](x, number), layer)
    view = as_view(call.sketch, a)
    if operator not in ("Add", "Sub", "Mul", "Div"):
        raise Outside("its constant differs from value to value")
    if operator in ("Add", "Sub"):
        return shifted(call, view, b if operator == "Add" else -b)
    return scaled(call.sketch, view, b if operator == "Mul" else 1 / b)


def _constant_first(call: Call, operator: str, a: Array, b: Value | None) -> Value:
    if operator in ("Add", "Mul", "Max", "Min"):
        return _with_constant(call, operator, b, a)
    if a.size == 1:
        number = a.astype(np.float64).reshape(())
        return curved(
            call.sketch, b, lambda x: BINARY[operator](number, x), _reverse(call, operator, a)
        )
    if operator == "Sub":
        negative = _with_constant(call, "Mul", b, np.array(-1, a.dtype))
        return _with_constant(call, "Add", negative, a)
    raise Outside("a constant divided by what depends on the input")


def _reverse(call: Call, operator: str, a: Array) -> Callable[[View], View]:
    def make(view: View) -> View:
        if operator != "Sub":
            raise Outside("a constant divided by, or to the power of, what depends on the input")
        return shifted(call, scaled(call.sketch, view, np.array(-1, a.dtype)), a)

    return make


def _rank(sketch: Sketch, value: Value | None) -> int:
    return base_of(sketch, value)[0].rank


def _none(_: View) -> View:
    raise Outside("no layer computes this function of single values")


def _linear(sketch: Sketch, operator: str, number: Array) -> Callable[[View], View]:
    def make(view: View) -> View:
        if operator in ("Add", "Sub"):
            return _shift(sketch, view, number if operator == "Add" else -number)
        return scaled(sketch, view, number if operator == "Mul" else 1 / number)

    return make


def shifted(call: Call, view: View, offset: Array) -> View:
    """A constant added: to the bias of the layer before, where that is all that reads it."""
    view, values = spread(call.sketch, view, offset)
    if call.alone and all(n == 1 for n in values.shape[:-1]):
        merged = with_bias(call.sketch, view, values.reshape(-1))
        if merged is not None:
            return merged
    return _placed_shift(call.sketch, view, values)


def _shift(sketch: Sketch, view: View, offset: Array) -> View:
    return _placed_shift(sketch, *spread(sketch, view, offset))


@makes("PRelu")
def prelu(call: Call) -> Made:
    """A slope below zero, by channel or the same for all; before opset 7 always along the second axis."""
    view, slope = call.view(0), call.weights(1)
    if call.version < 7 and slope.ndim == 1:
        slope = slope.reshape(-1, *(1,) * (view.rank - 2))
    view, values = spread(call.sketch, view, slope)
    if any(n != 1 for n in values.shape[:-1]):
        raise Outside("slopes that differ from position to position")
    return call.sketch.on(view, PReLU(values.reshape(-1)))


@makes("ai.onnx.ml.Scaler")
def scaler(call: Call) -> Made:
    """`(x - offset) · scale`, as scikit-learn's scalers become."""
    view = on_channels(call.sketch, call.view(0), -1)
    channels = view.shape[-1]
    offset, scale = (
        np.broadcast_to(np.asarray(call.setting(name, [start]), np.float32), (channels,))
        for name, start in (("offset", 0.0), ("scale", 1.0))
    )
    if view.source == INPUT and scale.all():
        return call.sketch.on(view, Normalize(offset, 1 / scale))
    return scaled(call.sketch, shifted(call, view, -offset), scale)


def _placed_shift(sketch: Sketch, view: View, values: Array) -> View:
    flat = all(n == 1 for n in values.shape[:-1])
    values = values.reshape(-1) if flat else values
    if values.shape[-1] == 1 and view.shape[-1] != 1:
        values = np.broadcast_to(values, (*values.shape[:-1], view.shape[-1]))
    return sketch.on(view, Shift(values))


def scaled(sketch: Sketch, view: View, factor: Array) -> View:
    """A constant multiplied, by channel or the same for all."""
    view, values = spread(sketch, view, factor)
    if any(n != 1 for n in values.shape[:-1]):
        raise Outside("factors that differ from position to position")
    return sketch.on(view, Scale(values.reshape(-1)))


def _joined(sketch: Sketch, operator: str, a: Value | None, b: Value | None) -> Value:
    """Two tensors that depend on the input."""
    if isinstance(a, Curved) or isinstance(b, Curved):
        base, first = base_of(sketch, a)
        other, second = base_of(sketch, b)
        if base == other:
            return Curved(
                base,
                lambda x: BINARY[operator](first(x), second(x)),
                lambda: _branches(sketch, operator, as_view(sketch, a), as_view(sketch, b)),
                known_curve,
            )
    return _branches(sketch, operator, as_view(sketch, a), as_view(sketch, b))


def _branches(sketch: Sketch, operator: str, a: View, b: View) -> View:
    if operator == "Sub":
        return _branches(sketch, "Add", a, scaled(sketch, b, np.array(-1, np.float32)))
    if operator not in ("Add", "Mul"):
        raise Outside(f"{operator} of two branches")
    return join(sketch, _join(operator), (a, b))


def _join(operator: str) -> Layer:
    return Add() if operator == "Add" else Multiply()


def join(sketch: Sketch, layer: Layer, views: Sequence[View]) -> View:
    """A layer that reads several sources, whose tensors are arranged alike."""
    alike = aligned(sketch, views)
    address = sketch.add(layer, *(view.source for view in alike))
    shape = sketch.shape(address)
    first = next((view for view in alike if view.shape == shape), None)
    if first is None:
        raise Outside("branches that each are spread over positions of the other")
    return attrs.evolve(first, source=address)
