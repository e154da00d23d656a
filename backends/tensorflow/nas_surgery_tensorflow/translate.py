"""Networks as plain Keras models, and back."""

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import keras
import numpy as np

import nas_surgery.network as ir
from nas_surgery.errors import BackendError
from nas_surgery.network import Activation, Array, Dense, Dropout, Flatten, Layer, Network, Shape
from nas_surgery.network.activations import LEAKY_SLOPE
from nas_surgery.network.roundoff import unit_roundoff
from nas_surgery.training.native_reading import Part, Run, compare
from nas_surgery_tensorflow.devices import on

HALF_PRECISION = {
    "float16": 2.0**-11,
    "bfloat16": 2.0**-8,
}  # units roundoff of policies' arithmetic
SMALLEST_SCALE = 1e-6  # Keras divides by 1e-7 at least

FUNCTIONS = {
    getattr(keras.activations, name): name for name in ir.ACTIVATIONS if name != "leaky_relu"
}
"""Keras's functions by their name here. Its leaky ReLU has another slope; a layer can set it."""


def to_native(network: Network) -> keras.Sequential:
    """The network as a chain of standard layers that computes `Network.forward`.

    Where mean and scale of a Normalize differ in shape, both come back in their common shape. Raises
    BackendError for a negative or tiny scale, which Keras cannot divide by.
    """
    dtype = str(network.dtype)
    layers = [
        _native(address, layer, shape, dtype)
        for address, (layer, shape) in enumerate(zip(network.layers, network.shapes, strict=False))
    ]
    return keras.Sequential([keras.Input(network.input_shape, dtype=dtype), *layers])


def from_native(model: Any, input_shape: int | Shape) -> Network:
    """The network that a Keras layer, or a chain of them, computes in inference.

    A chain is a Sequential, or a functional model without branches. Everything is compared once with
    the model's own outputs. Raises BackendError for a layer that the IR does not hold, and where the
    model computes anything else.
    """
    shape = (input_shape,) if isinstance(input_shape, int) else tuple(input_shape)
    _build(model, shape)
    with on("cpu"):
        parts = [part for part in map(_part, _chain(model)) if part.layers]
        network = Network(shape, [layer for part in parts for layer in part.layers])
        compare(network, parts, _runner(model), f"model {model.name!r}")
    return network


def _part(native: keras.Layer) -> Part:
    unit = HALF_PRECISION.get(native.compute_dtype) or unit_roundoff(native.compute_dtype)
    return Part(_named(native), tuple(_layers(native)), _runner(native), unit)


def _runner(native: keras.Layer) -> Run:
    return lambda x: _array(native(x, training=False))


def _native(address: int, layer: Layer, shape: Shape, dtype: str) -> keras.Layer:
    if isinstance(layer, Dense):
        return _dense(layer, shape, dtype)
    if isinstance(layer, ir.Normalize):
        return _normalization(address, layer, shape, dtype)
    if isinstance(layer, Activation):
        if layer.function == "leaky_relu":
            return keras.layers.LeakyReLU(LEAKY_SLOPE, dtype=dtype)
        return keras.layers.Activation(layer.function, dtype=dtype)
    if isinstance(layer, Dropout):
        return keras.layers.Dropout(layer.rate, dtype=dtype)
    return keras.layers.Flatten(data_format="channels_last", dtype=dtype)


def _dense(layer: Dense, shape: Shape, dtype: str) -> keras.layers.Dense:
    native = keras.layers.Dense(layer.units, use_bias=layer.bias is not None, dtype=dtype)
    native.build((None, *shape))
    native.set_weights(list(layer.parameters().values()))
    return native


def _normalization(
    address: int, layer: ir.Normalize, shape: Shape, dtype: str
) -> keras.layers.Normalization:
    if np.min(layer.scale) < SMALLEST_SCALE:
        raise BackendError(
            f"layer {address}: Keras divides by a scale of {SMALLEST_SCALE:g} or more,"
            f" got {np.min(layer.scale):g}"
        )
    mean, scale = np.broadcast_arrays(layer.mean, layer.scale.astype(np.float64))
    axes = tuple(range(1, len(shape) + 1))  # of a sample: broadcast as in NumPy
    return keras.layers.Normalization(axes, mean.copy(), scale**2, dtype=dtype)  # sqrt(s²) is s


def _build(model: Any, shape: Shape) -> None:
    if not isinstance(model, keras.Layer):
        raise BackendError(f"a Keras model or layer is needed, got {type(model).__name__}")
    if isinstance(model, keras.Model) and not isinstance(model, keras.Sequential | keras.Function):
        raise BackendError(
            f"model {model.name!r}: a subclassed model may do anything with its layers; a Sequential"
            " or a functional model is needed"
        )
    if not model.built:
        _first_build(model, shape)
    if isinstance(model, keras.Model):
        wanted = [tuple(each.shape[1:]) for each in model.inputs]
        if wanted != [shape]:
            shown = ", ".join(map(str, wanted))
            raise BackendError(f"the model takes inputs of shape {shown}, not {shape}")


def _first_build(model: keras.Layer, shape: Shape) -> None:
    try:
        model.build((None, *shape))
    except Exception as error:  # a user's layers fail in any way
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise BackendError(
            f"{_named(model)}: cannot be built for inputs of shape {shape}: {reason}"
        ) from error


def _chain(model: keras.Layer) -> Iterator[keras.Layer]:
    """The layers of nested chains in their order."""
    if not isinstance(model, keras.Model):
        yield model
        return
    if not isinstance(model, keras.Sequential) and not _is_chain(model):
        raise BackendError(f"model {model.name!r}: its layers are not a chain")
    for layer in model.layers:
        yield from _chain(layer)


def _is_chain(model: keras.Model) -> bool:
    try:
        last = model.layers[-1].output
        linked = all(after.input is before.output for before, after in pairwise(model.layers))
        return linked and len(model.inputs) == 1 and model.outputs[0] is last
    except (AttributeError, ValueError):  # a layer that is called twice, or a subclassed model
        return False


def _layers(native: keras.Layer) -> list[Layer]:
    """What one Keras layer is here: mostly one layer, two for a Dense with an activation."""
    read = READERS.get(type(native))
    if read is not None:
        return read(native)
    known = ", ".join(sorted(kind.__name__ for kind in READERS))
    raise BackendError(
        f"{_named(native)}: no layer for a Keras {type(native).__name__}; there are layers for {known}"
    )


def _read_dense(native: keras.layers.Dense) -> list[Layer]:
    # as the call takes them: with LoRA the kernel is more than one variable
    arrays = [native.kernel] if native.bias is None else [native.kernel, native.bias]
    layer = Dense(*(_weights(native, _array(array)) for array in arrays))
    if native.activation is keras.activations.linear:
        return [layer]
    return [layer, *_read_activation(native)]


def _read_activation(native: Any) -> list[Layer]:
    if native.activation in FUNCTIONS:
        return [Activation(FUNCTIONS[native.activation])]
    name = getattr(native.activation, "__name__", "an activation of its own")
    hint = "; leave it to the loss" if name.endswith("softmax") else ""
    raise BackendError(f"{_named(native)}: no activation here is Keras's {name}{hint}")


def _read_relu(native: keras.layers.ReLU) -> list[Layer]:
    _check(native, negative_slope=0, threshold=0)
    if native.max_value is None:
        return [Activation("relu")]
    _check(native, max_value=6)
    return [Activation("relu6")]


def _read_leaky_relu(native: keras.layers.LeakyReLU) -> list[Layer]:
    _check(native, negative_slope=LEAKY_SLOPE)
    return [Activation("leaky_relu")]


def _read_elu(native: keras.layers.ELU) -> list[Layer]:
    _check(native, alpha=1)
    return [Activation("elu")]


def _read_flatten(native: keras.layers.Flatten) -> list[Layer]:
    _check(native, data_format="channels_last")
    return [Flatten()]


def _read_dropout(native: keras.layers.Dropout) -> list[Layer]:
    _check(native, noise_shape=None)
    return [Dropout(native.rate)]


def _read_normalization(native: keras.layers.Normalization) -> list[Layer]:
    _check(native, invert=False)
    if native.input_mean is not None:
        mean, variance = native.input_mean, native.input_variance
    else:
        mean, variance = (np.asarray(array)[0] for array in (native.mean, native.variance))
    scale = np.maximum(np.sqrt(np.asarray(variance, np.float64)), keras.config.epsilon())
    dtype = native.compute_dtype
    return [ir.Normalize(np.asarray(mean, dtype), scale.astype(dtype))]


def _read_rescaling(native: keras.layers.Rescaling) -> list[Layer]:
    """x·scale + offset, as (x - mean) / scale: exact but for rounding."""
    factor, offset = (np.asarray(v, np.float64) for v in (native.scale, native.offset))
    if not np.all(factor):
        raise BackendError(f"{_named(native)}: a scale of 0 cannot be kept")
    arrays = (array.astype(native.compute_dtype) for array in (-offset / factor, 1 / factor))
    return [ir.Normalize(*arrays)]


READERS: dict[type[keras.Layer], Callable[[Any], list[Layer]]] = {
    keras.layers.InputLayer: lambda native: [],
    keras.layers.Identity: lambda native: [Activation("linear")],
    keras.layers.Dense: _read_dense,
    keras.layers.Activation: _read_activation,
    keras.layers.ReLU: _read_relu,
    keras.layers.LeakyReLU: _read_leaky_relu,
    keras.layers.ELU: _read_elu,
    keras.layers.Flatten: _read_flatten,
    keras.layers.Dropout: _read_dropout,
    keras.layers.Normalization: _read_normalization,
    keras.layers.Rescaling: _read_rescaling,
}
"""Exact types: a class derived from one of them may compute anything."""


def _check(native: keras.Layer, **settings: Any) -> None:
    for name, wanted in settings.items():
        value = getattr(native, name)
        if value != wanted:
            raise BackendError(
                f"{_named(native)}: {type(native).__name__} is supported with {name}={wanted},"
                f" got {value}"
            )


def _weights(native: keras.Layer, array: Array) -> Array:
    if array.dtype not in (np.float32, np.float64):
        raise BackendError(
            f"{_named(native)}: weights must be float32 or float64, got {array.dtype}"
        )
    return array


def _array(value: Any) -> Array:
    return np.asarray(keras.ops.convert_to_tensor(value))


def _named(native: keras.Layer) -> str:
    return f"layer {native.name!r}"
