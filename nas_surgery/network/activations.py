"""Activation functions and their algebra, which decides which surgeries are exact.

*Positively homogeneous*: f(a x) = a f(x) for a > 0, so a unit may be rescaled before it.
*Idempotent*: f(f(x)) = f(x), so an identity layer may be inserted behind it (eq. 3 of Schiessler,
Aydin, Linka, Cyron: Neural network surgery, Neural Networks 144, 2021, calls it "at least piecewise
linear"; leaky ReLU is piecewise linear and yet not idempotent, so the property is named here).
"""

from collections.abc import Callable

import attrs
import numpy as np
from scipy.special import erf, expit

from nas_surgery.network.arrays import Array

LEAKY_SLOPE = 0.01
SELU_ALPHA = 1.6732632423543772
SELU_SCALE = 1.0507009873554805
_SQRT_HALF = 0.7071067811865476
_INV_SQRT_2PI = 0.3989422804014327


@attrs.frozen
class Function:
    """One elementwise function.

    `value(x)` and `derivative(x, y)` take and return arrays of one shape, where `y = value(x)`;
    both keep the dtype of `x`.
    """

    name: str
    value: Callable[[Array], Array]
    derivative: Callable[[Array, Array], Array]
    positively_homogeneous: bool = False
    idempotent: bool = False


def _linear(x: Array) -> Array:
    return x


def _linear_slope(x: Array, y: Array) -> Array:
    return np.ones_like(x)


def _relu(x: Array) -> Array:
    return np.maximum(x, 0)


def _relu_slope(x: Array, y: Array) -> Array:
    return (y > 0).astype(x.dtype)


def _relu6(x: Array) -> Array:
    return np.clip(x, 0, 6)


def _relu6_slope(x: Array, y: Array) -> Array:
    return ((x > 0) & (x < 6)).astype(x.dtype)


def _leaky_relu(x: Array) -> Array:
    y: Array = np.where(x > 0, x, x * x.dtype.type(LEAKY_SLOPE))
    return y


def _leaky_relu_slope(x: Array, y: Array) -> Array:
    result: Array = np.where(x > 0, x.dtype.type(1), x.dtype.type(LEAKY_SLOPE))
    return result


def _elu(x: Array) -> Array:
    return np.where(x > 0, x, np.expm1(np.minimum(x, 0)))


def _elu_slope(x: Array, y: Array) -> Array:
    return np.where(x > 0, x.dtype.type(1), y + 1)


def _selu(x: Array) -> Array:
    scale, alpha = x.dtype.type(SELU_SCALE), x.dtype.type(SELU_ALPHA)
    result: Array = scale * np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))
    return result


def _selu_slope(x: Array, y: Array) -> Array:
    result: Array = np.where(
        x > 0, x.dtype.type(SELU_SCALE), y + x.dtype.type(SELU_SCALE * SELU_ALPHA)
    )
    return result


def _normal_cdf(x: Array) -> Array:
    cdf: Array = (1 + erf(x * x.dtype.type(_SQRT_HALF))) * x.dtype.type(0.5)
    return cdf


def _gelu(x: Array) -> Array:
    return x * _normal_cdf(x)


def _gelu_slope(x: Array, y: Array) -> Array:
    density = np.exp(-x * x * x.dtype.type(0.5)) * x.dtype.type(_INV_SQRT_2PI)
    result: Array = _normal_cdf(x) + x * density
    return result


def _tanh_slope(x: Array, y: Array) -> Array:
    return 1 - y * y


def _sigmoid(x: Array) -> Array:
    y: Array = expit(x)
    return y


def _sigmoid_slope(x: Array, y: Array) -> Array:
    result: Array = y * (1 - y)
    return result


def _softplus(x: Array) -> Array:
    result: Array = np.logaddexp(x, x.dtype.type(0))
    return result


def _softplus_slope(x: Array, y: Array) -> Array:
    return _sigmoid(x)


def _silu(x: Array) -> Array:
    return x * _sigmoid(x)


def _silu_slope(x: Array, y: Array) -> Array:
    gate = _sigmoid(x)
    result: Array = gate + y * (1 - gate)
    return result


ACTIVATIONS: dict[str, Function] = {
    function.name: function
    for function in (
        Function("linear", _linear, _linear_slope, positively_homogeneous=True, idempotent=True),
        Function("relu", _relu, _relu_slope, positively_homogeneous=True, idempotent=True),
        Function("relu6", _relu6, _relu6_slope, idempotent=True),
        Function("leaky_relu", _leaky_relu, _leaky_relu_slope, positively_homogeneous=True),
        Function("elu", _elu, _elu_slope),
        Function("selu", _selu, _selu_slope),
        Function("gelu", _gelu, _gelu_slope),
        Function("tanh", np.tanh, _tanh_slope),
        Function("sigmoid", _sigmoid, _sigmoid_slope),
        Function("softplus", _softplus, _softplus_slope),
        Function("silu", _silu, _silu_slope),
    )
}
