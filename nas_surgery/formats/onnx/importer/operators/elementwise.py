"""Functions of single values, and how several operators that make one are found again.

What is done to single values of one view is kept as one function. When a reader needs the values, the
function is compared with the activations that there are, so that it does not matter how an exporter wrote it.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from scipy.special import erf, expit

from nas_surgery.formats.onnx.importer.operators.calls import Call, Made, makes
from nas_surgery.formats.onnx.importer.operators.recognition import known_curve
from nas_surgery.formats.onnx.importer.outside import Outside
from nas_surgery.formats.onnx.importer.sketch import Sketch
from nas_surgery.formats.onnx.importer.values import Curve, Curved, Rowed, Score, Value, as_view
from nas_surgery.formats.onnx.importer.views import View
from nas_surgery.network import Activation, Array


def _softplus(x: Array) -> Array:
    return np.logaddexp(x, 0)


PLAIN: dict[str, tuple[Curve, str | None]] = {
    "Relu": (lambda x: np.maximum(x, 0), "relu"),
    "Sigmoid": (expit, "sigmoid"),
    "Tanh": (np.tanh, "tanh"),
    "Softplus": (_softplus, "softplus"),
    "Softsign": (lambda x: x / (1 + np.abs(x)), "softsign"),
    "Exp": (np.exp, "exponential"),
    "Erf": (erf, None),
    "HardSwish": (lambda x: x * np.clip(x / 6 + 0.5, 0, 1), "hard_swish"),
    "Mish": (lambda x: x * np.tanh(_softplus(x)), "mish"),
    "Identity": (lambda x: x, "linear"),
    "Neg": (np.negative, None),
    "Abs": (np.abs, None),
    "Sqrt": (np.sqrt, None),
    "Reciprocal": (lambda x: 1 / x, None),
}


@makes(*(name for name in PLAIN if name != "Identity"))
def plain(call: Call) -> Made:
    """A function without settings."""
    curve, name = PLAIN[call.node.operator]
    return curved(call.sketch, call.value(0), curve, _activation(call, curve, name))


@makes("LeakyRelu", "Elu", "Celu", "Selu", "ThresholdedRelu", "Gelu", "HardSigmoid", "Swish")
def parametric(call: Call) -> Made:
    """A function with settings."""
    curve, name, settings = _parametric(call)
    return curved(call.sketch, call.value(0), curve, _activation(call, curve, name, **settings))


def _parametric(call: Call) -> tuple[Curve, str | None, dict[str, float]]:
    operator = call.node.operator
    if operator == "LeakyRelu":
        a = float(call.setting("alpha", 0.01))
        return lambda x: np.where(x > 0, x, a * x), "leaky_relu", {"alpha": a}
    if operator == "Elu":
        a = float(call.setting("alpha", 1.0))
        return lambda x: np.where(x > 0, x, a * np.expm1(np.minimum(x, 0))), "elu", {"alpha": a}
    if operator == "Celu":
        a = float(call.setting("alpha", 1.0))
        return (
            lambda x: np.where(x > 0, x, a * np.expm1(np.minimum(x, 0) / a)),
            "celu",
            {"alpha": a},
        )
    if operator == "Selu":
        a, g = float(call.setting("alpha", 1.6732632)), float(call.setting("gamma", 1.0507010))
        return lambda x: g * np.where(x > 0, x, a * np.expm1(np.minimum(x, 0))), None, {}
    if operator == "ThresholdedRelu":
        a = float(call.setting("alpha", 1.0))
        return lambda x: np.where(x > a, x, 0), None, {}
    if operator == "Gelu":
        return (_gelu_tanh, "gelu_tanh", {}) if _approximate(call) else (_gelu, "gelu", {})
    if operator == "Swish":
        a = float(call.setting("alpha", 1.0))
        return lambda x: x * expit(a * x), None, {}
    a, b = float(call.setting("alpha", 0.2)), float(call.setting("beta", 0.5))
    return lambda x: np.clip(a * x + b, 0, 1), None, {}


def _approximate(call: Call) -> bool:
    return bool(call.setting("approximate", "none") == "tanh")


def _gelu(x: Array) -> Array:
    return np.asarray(0.5 * x * (1 + erf(x / np.sqrt(2))))


def _gelu_tanh(x: Array) -> Array:
    return np.asarray(0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))))


@makes("Clip")
def clip(call: Call) -> Made:
    """Bounds are attributes, or inputs since opset 11."""
    low, high = (_bound(call, name, index) for name, index in (("min", 1), ("max", 2)))
    low = -np.inf if low is None else low
    high = np.inf if high is None else high
    curve = partial(np.clip, a_min=low, a_max=high)
    return curved(call.sketch, call.value(0), curve, _activation(call, curve, None))


def _bound(call: Call, name: str, index: int) -> float | None:
    array = call.setting(name) if call.version < 11 else call.optional(index)
    if array is None:
        return None
    if np.size(array) != 1:
        raise Outside("a bound has one value")
    value = float(np.asarray(array).reshape(()))
    return None if abs(value) >= np.finfo(np.float32).max else value


def _activation(
    call: Call, curve: Curve, name: str | None, **settings: Any
) -> Callable[[View], View]:
    """How a view becomes one behind an activation, by name or as what its values show it to be."""

    def make(view: View) -> View:
        if name is not None:
            return call.sketch.on(view, Activation(name, **settings))
        found = known_curve(call.sketch, view, curve)
        if found is None:
            raise Outside("no layer computes this function of single values")
        return found

    return make


def curved(
    sketch: Sketch, value: Value | None, curve: Curve, layer: Callable[[View], View]
) -> Value:
    """A function of a view, or of a function of a view; `layer` applies it by itself."""
    if isinstance(value, Rowed):
        return value.then(curve)
    base, before = base_of(sketch, value)

    def plain() -> View:
        assert value is not None
        return layer(as_view(sketch, value))

    def both(x: Array) -> Array:
        return curve(before(x))

    return Curved(base, both, plain, known_curve)


def base_of(sketch: Sketch, value: Value | None) -> tuple[View, Curve]:
    """The view that a tensor is a function of, and the function."""
    if isinstance(value, Curved):
        return value.base, value.curve
    return as_view(sketch, value), lambda x: x


def sizes_of(sketch: Sketch, value: Value | None) -> tuple[int, ...]:
    """The shape of a tensor, for which no promise has to be kept."""
    if isinstance(value, Score):
        return value.tensor.sizes
    return base_of(sketch, value)[0].sizes
