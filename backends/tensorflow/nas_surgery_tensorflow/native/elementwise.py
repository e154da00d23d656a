"""Layers that treat each value by itself as Keras layers, and back."""

from typing import Any

import keras
import numpy as np

import nas_surgery.network as ir
from nas_surgery.errors import BackendError
from nas_surgery.network import Activation, Layer, Shape
from nas_surgery.network.functions import DEFAULT_ALPHA
from nas_surgery_tensorflow.native.positions import LETTERS, added
from nas_surgery_tensorflow.native.settings import Step, array, named, require, weighted

layers = keras.layers

SMALLEST_SCALE = 1e-6  # Keras divides by 1e-7 at least

NAMES = {
    **{name: name for name in ir.ACTIVATIONS if name != "leaky_relu"},
    "hard_sigmoid": "hard_sigmoid",
    "hard_swish": "hard_silu",
    "mish": "mish",
    "softsign": "softsign",
    "exponential": "exponential",
    "log_sigmoid": "log_sigmoid",
}
"""Keras's names of functions without parameters; its leaky ReLU has another slope, which a layer can set."""

FUNCTIONS = {getattr(keras.activations, name): function for function, name in NAMES.items()}
"""Keras's functions by what they are here."""


def activation(layer: Activation, shape: Shape, dtype: str) -> list[Step]:
    """An Activation, or a layer or operation with parameters."""
    if layer.function == "leaky_relu":
        if layer.slope < 0:  # which the layer refuses
            return [lambda x: keras.ops.leaky_relu(x, layer.slope)]
        return [layers.LeakyReLU(layer.slope, dtype=dtype)]
    if layer.function == "elu" and layer.alpha is not None:
        return [layers.ELU(layer.alpha, dtype=dtype)]
    if layer.function == "celu":
        return [lambda x: keras.ops.celu(x, layer.slope)]
    if layer.function == "gelu_tanh":
        return [lambda x: keras.ops.gelu(x, approximate=True)]
    if layer.function == "clip":
        return [lambda x: _clipped(x, layer.low, layer.high)]
    return [layers.Activation(NAMES[layer.function], dtype=dtype)]


def _clipped(x: Any, low: float | None, high: float | None) -> Any:
    x = x if low is None else keras.ops.maximum(x, low)
    return x if high is None else keras.ops.minimum(x, high)


def scale(layer: ir.Scale, shape: Shape, dtype: str) -> list[Step]:
    """EinsumDense, which weighs each channel by itself."""
    axes = LETTERS[1 : len(shape) + 1]
    native = layers.EinsumDense(f"a{axes},{axes[-1]}->a{axes}", shape, dtype=dtype)
    return [weighted(native, shape, [np.broadcast_to(layer.scale, shape[-1:])])]


def shift(layer: ir.Shift, shape: Shape, dtype: str) -> list[Step]:
    """EinsumDense, with biases at each position."""
    whole = layer.offset.ndim > 1
    offset = np.broadcast_to(layer.offset, shape) if whole else layer.offset
    return [added(offset, shape, dtype)]


def prelu(layer: ir.PReLU, shape: Shape, dtype: str) -> list[Step]:
    """PReLU."""
    native = layers.PReLU(shared_axes=list(range(1, len(shape))), dtype=dtype)
    slope = np.broadcast_to(layer.slope, shape[-1:]).reshape(*(1,) * (len(shape) - 1), -1)
    return [weighted(native, shape, [slope])]


def dropout(layer: ir.Dropout, shape: Shape, dtype: str) -> list[Step]:
    """Dropout."""
    return [layers.Dropout(layer.rate, dtype=dtype)]


def normalize(layer: ir.Normalize, shape: Shape, dtype: str) -> list[Step]:
    """Normalization, whose mean and variance are of one shape."""
    if np.min(layer.scale) < SMALLEST_SCALE:
        raise BackendError(
            f"Keras divides by a scale of {SMALLEST_SCALE:g} or more, got {np.min(layer.scale):g}"
        )
    mean, scale = np.broadcast_arrays(layer.mean, layer.scale.astype(np.float64))
    axes = tuple(range(1, len(shape) + 1))  # of a sample: broadcast as in NumPy
    return [layers.Normalization(axes, mean.copy(), scale**2, dtype=dtype)]  # sqrt(s²) is s


def read_activation(native: Any, shape: Shape) -> list[Layer]:
    """What a layer has as its `activation`: none for linear, unless that is all of it."""
    if native.activation in FUNCTIONS:
        return [Activation(FUNCTIONS[native.activation])]
    if native.activation is keras.activations.softmax and len(shape) > 0:
        return [ir.Softmax()]
    if native.activation is keras.activations.leaky_relu:
        return [Activation("leaky_relu", alpha=0.2)]  # what Keras's function has
    name = getattr(native.activation, "__name__", "an activation of its own")
    raise BackendError(f"{named(native)}: no activation here is Keras's {name}")


def read_relu(native: Any, shape: Shape) -> list[Layer]:
    """A ReLU, perhaps with a bound."""
    require(native, negative_slope=0, threshold=0)
    if native.max_value is None:
        return [Activation("relu")]
    if native.max_value == 6:
        return [Activation("relu6")]
    return [Activation("clip", low=0.0, high=float(native.max_value))]


def _sloped(function: str, alpha: Any) -> list[Layer]:
    usual = float(alpha) == DEFAULT_ALPHA[function]
    return [Activation(function, None if usual else float(alpha))]


def read_leaky_relu(native: Any, shape: Shape) -> list[Layer]:
    """A leaky ReLU of any slope."""
    return _sloped("leaky_relu", native.negative_slope)


def read_elu(native: Any, shape: Shape) -> list[Layer]:
    """An ELU."""
    return _sloped("elu", native.alpha)


def read_prelu(native: Any, shape: Shape) -> list[Layer]:
    """A PReLU with slopes of channels, or one for all."""
    slope = array(native, native.alpha)
    if slope.size not in (1, shape[-1]) or slope.shape[-1] not in (1, shape[-1]):
        raise BackendError(f"{named(native)}: PReLU with slopes of positions is not read")
    return [ir.PReLU(slope.reshape(-1))]


def read_dropout(native: Any, shape: Shape) -> list[Layer]:
    """A Dropout."""
    require(native, noise_shape=None)
    return [ir.Dropout(native.rate)]


def read_normalization(native: Any, shape: Shape) -> list[Layer]:
    """A Normalize."""
    require(native, invert=False)
    if native.input_mean is not None:
        mean, variance = native.input_mean, native.input_variance
    else:
        mean, variance = (np.asarray(array)[0] for array in (native.mean, native.variance))
    deviation = np.maximum(np.sqrt(np.asarray(variance, np.float64)), keras.config.epsilon())
    dtype = native.compute_dtype
    return [ir.Normalize(np.asarray(mean, dtype), deviation.astype(dtype))]


def read_rescaling(native: Any, shape: Shape) -> list[Layer]:
    """x·scale + offset, as (x - mean) / scale: exact but for rounding."""
    factor, offset = (np.asarray(v, np.float64) for v in (native.scale, native.offset))
    if not np.all(factor):
        raise BackendError(f"{named(native)}: a scale of 0 cannot be kept")
    arrays = (array.astype(native.compute_dtype) for array in (-offset / factor, 1 / factor))
    return [ir.Normalize(*arrays)]


READ = {
    layers.Identity: lambda native, shape: [Activation("linear")],
    layers.Activation: read_activation,
    layers.ReLU: read_relu,
    layers.LeakyReLU: read_leaky_relu,
    layers.ELU: read_elu,
    layers.PReLU: read_prelu,
    layers.Dropout: read_dropout,
    layers.Normalization: read_normalization,
    layers.Rescaling: read_rescaling,
}
