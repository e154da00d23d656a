"""Every elementwise function by name, with its parameters: those of `ACTIVATIONS`, and more."""

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from scipy.special import expit

from nas_surgery.network.activations import ACTIVATIONS, LEAKY_SLOPE, Function
from nas_surgery.network.arrays import Array

_GELU = 0.7978845608028654  # √(2/π)
_CUBE = 0.044715


def _hard_sigmoid(x: Array) -> Array:
    y: Array = np.clip(x + 3, 0, 6) / 6
    return y


def _hard_sigmoid_slope(x: Array, y: Array) -> Array:
    return (np.abs(x) < 3).astype(x.dtype) / 6


def _hard_swish(x: Array) -> Array:
    return x * _hard_sigmoid(x)


def _hard_swish_slope(x: Array, y: Array) -> Array:
    return np.where(np.abs(x) < 3, (2 * x + 3) / 6, (x > 0).astype(x.dtype))


def _gated(x: Array) -> Array:
    gate: Array = np.tanh(np.logaddexp(x, x.dtype.type(0)))
    return gate


def _mish(x: Array) -> Array:
    return x * _gated(x)


def _mish_slope(x: Array, y: Array) -> Array:
    gate = _gated(x)
    slope: Array = gate + x * (1 - gate * gate) * expit(x)
    return slope


def _gelu_tanh(x: Array) -> Array:
    y: Array = 0.5 * x * (1 + np.tanh(_GELU * (x + _CUBE * x * x * x)))
    return y


def _gelu_tanh_slope(x: Array, y: Array) -> Array:
    gate = np.tanh(_GELU * (x + _CUBE * x * x * x))
    slope: Array = 0.5 * (1 + gate + x * (1 - gate * gate) * _GELU * (1 + 3 * _CUBE * x * x))
    return slope


def _softsign(x: Array) -> Array:
    y: Array = x / (1 + np.abs(x))
    return y


def _softsign_slope(x: Array, y: Array) -> Array:
    slope: Array = np.square(1 - np.abs(y))
    return slope


def _exponential(x: Array) -> Array:
    with np.errstate(over="ignore"):  # infinity says it
        y: Array = np.exp(x)
    return y


def _exponential_slope(x: Array, y: Array) -> Array:
    return y


def _log_sigmoid(x: Array) -> Array:
    y: Array = -np.logaddexp(-x, x.dtype.type(0))
    return y


def _log_sigmoid_slope(x: Array, y: Array) -> Array:
    slope: Array = expit(-x)
    return slope


def _leaky_relu(alpha: float) -> Function:
    return Function(
        "leaky_relu",
        lambda x: np.where(x > 0, x, x * alpha),
        lambda x, y: np.where(x > 0, 1.0, alpha).astype(x.dtype),
        positively_homogeneous=True,
    )


def _elu(alpha: float) -> Function:
    return Function(
        "elu",
        lambda x: np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0))),
        lambda x, y: np.where(x > 0, 1.0, y + alpha).astype(x.dtype),
    )


def _celu(alpha: float) -> Function:
    return Function(
        "celu",
        lambda x: np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0) / alpha)),
        lambda x, y: np.where(x > 0, 1.0, y / alpha + 1).astype(x.dtype),
    )


def _clip(low: float | None, high: float | None) -> Function:
    least, most = (-np.inf if low is None else low), (np.inf if high is None else high)
    return Function(
        "clip",
        lambda x: np.clip(x, low, high),
        lambda x, y: ((x > least) & (x < most)).astype(x.dtype),
        idempotent=True,
    )


_PLAIN = {
    function.name: function
    for function in (
        Function("hard_sigmoid", _hard_sigmoid, _hard_sigmoid_slope),
        Function("hard_swish", _hard_swish, _hard_swish_slope),
        Function("mish", _mish, _mish_slope),
        Function("gelu_tanh", _gelu_tanh, _gelu_tanh_slope),
        Function("softsign", _softsign, _softsign_slope),
        Function("exponential", _exponential, _exponential_slope),
        Function("log_sigmoid", _log_sigmoid, _log_sigmoid_slope),
    )
}
_WITH_ALPHA: dict[str, tuple[Callable[[float], Function], float]] = {
    "leaky_relu": (_leaky_relu, LEAKY_SLOPE),
    "elu": (_elu, 1.0),
    "celu": (_celu, 1.0),
}

FUNCTIONS: tuple[str, ...] = (*ACTIVATIONS, *_PLAIN, "celu", "clip")
PARAMETERS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(_WITH_ALPHA, ("alpha",)),
    "clip": ("low", "high"),
}
DEFAULT_ALPHA = {name: default for name, (_, default) in _WITH_ALPHA.items()}


@lru_cache(maxsize=256)
def function(
    name: str, alpha: float | None = None, low: float | None = None, high: float | None = None
) -> Function:
    """The function of that name with its parameters; without them it has those that are usual."""
    if name == "clip":
        return _clip(low, high)
    if alpha is None and name in ACTIVATIONS:
        return ACTIVATIONS[name]
    if name in _PLAIN:
        return _PLAIN[name]
    make, default = _WITH_ALPHA[name]
    return make(default if alpha is None else alpha)
