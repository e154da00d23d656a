"""Layers that treat each value, or each channel, by itself."""

from collections.abc import Callable

import tensorflow as tf

import nas_surgery.network as ir
from nas_surgery_tensorflow.layers import ACTIVATIONS
from nas_surgery_tensorflow.operators.base import Arrays

GELU = 0.7978845608028654  # √(2/π)
CUBE = 0.044715


def activation(layer: ir.Activation, arrays: Arrays, x: tf.Tensor) -> tf.Tensor:
    """An elementwise function."""
    if layer.function == "clip":
        return _clip(x, layer.low, layer.high)
    if layer.function in SLOPED:
        return SLOPED[layer.function](x, layer.slope)
    return FUNCTIONS[layer.function](x)


def _clip(x: tf.Tensor, low: float | None, high: float | None) -> tf.Tensor:
    """By selection: `tf.clip_by_value` may drop NaN."""
    if low is not None:
        x = tf.where(x <= low, tf.constant(low, x.dtype), x)
    return x if high is None else tf.where(x >= high, tf.constant(high, x.dtype), x)


def _leaky_relu(x: tf.Tensor, alpha: float) -> tf.Tensor:
    one, slope = (tf.constant(value, x.dtype) for value in (1, alpha))
    return x * tf.where(x > 0, one, slope)


def _elu(x: tf.Tensor, alpha: float) -> tf.Tensor:
    return tf.where(x > 0, x, alpha * tf.math.expm1(tf.minimum(x, 0)))


def _celu(x: tf.Tensor, alpha: float) -> tf.Tensor:
    return tf.where(x > 0, x, alpha * tf.math.expm1(tf.minimum(x, 0) / alpha))


def _hard_sigmoid(x: tf.Tensor) -> tf.Tensor:
    return _clip(x + 3, 0, 6) / 6


def _hard_swish(x: tf.Tensor) -> tf.Tensor:
    return x * _hard_sigmoid(x)


def _mish(x: tf.Tensor) -> tf.Tensor:
    return x * tf.math.tanh(tf.math.softplus(x))


def _gelu_tanh(x: tf.Tensor) -> tf.Tensor:
    return 0.5 * x * (1 + tf.math.tanh(GELU * (x + CUBE * x * x * x)))


def _softsign(x: tf.Tensor) -> tf.Tensor:
    return x / (1 + tf.abs(x))


def _log_sigmoid(x: tf.Tensor) -> tf.Tensor:
    return -tf.math.softplus(-x)


def _relu(x: tf.Tensor) -> tf.Tensor:
    """What stands between hinders TensorFlow from fusing it with the layer before, which drops NaN."""
    return tf.nn.relu(tf.ensure_shape(x, x.shape))


FUNCTIONS: dict[str, Callable[[tf.Tensor], tf.Tensor]] = {
    **ACTIVATIONS,
    "relu": _relu,
    "hard_sigmoid": _hard_sigmoid,
    "hard_swish": _hard_swish,
    "mish": _mish,
    "gelu_tanh": _gelu_tanh,
    "softsign": _softsign,
    "exponential": tf.math.exp,
    "log_sigmoid": _log_sigmoid,
}
"""Those without parameters, by name."""

SLOPED: dict[str, Callable[[tf.Tensor, float], tf.Tensor]] = {
    "leaky_relu": _leaky_relu,
    "elu": _elu,
    "celu": _celu,
}
"""Those with `alpha`."""


def scale(layer: ir.Scale, arrays: Arrays, x: tf.Tensor) -> tf.Tensor:
    """A factor for each channel."""
    return x * arrays["scale"]


def shift(layer: ir.Shift, arrays: Arrays, x: tf.Tensor) -> tf.Tensor:
    """A term for each channel, perhaps at each position."""
    return x + arrays["offset"]


def prelu(layer: ir.PReLU, arrays: Arrays, x: tf.Tensor) -> tf.Tensor:
    """A slope for each channel, below zero."""
    return tf.where(x > 0, x, x * arrays["slope"])


def dropout(layer: ir.Dropout, arrays: Arrays, x: tf.Tensor) -> tf.Tensor:
    """While training, what the mask of the step keeps."""
    if "mask" not in arrays:
        return x
    return x * tf.cast(arrays["mask"], x.dtype) / (1 - layer.rate)


def normalize(layer: ir.Normalize, arrays: Arrays, x: tf.Tensor) -> tf.Tensor:
    """Preprocessing."""
    return (x - arrays["mean"]) / arrays["scale"]
