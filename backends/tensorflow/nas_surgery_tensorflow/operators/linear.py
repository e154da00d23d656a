"""Layers that weigh channels: Dense, Conv, ConvTranspose, Embedding."""

from collections.abc import Callable
from functools import partial

import attrs
import tensorflow as tf

import nas_surgery.network as ir
from nas_surgery.errors import BackendError
from nas_surgery.network import Shape
from nas_surgery.network.layers.windows import Windows
from nas_surgery_tensorflow.operators.base import Arrays, beside, with_shape


def dense(layer: ir.Dense, arrays: Arrays, x: tf.Tensor) -> tf.Tensor:
    """A product along the last axis."""
    kernel = arrays["kernel"]
    y = tf.matmul(tf.reshape(x, (-1, kernel.shape[0])), kernel)
    return with_shape(_biased(arrays, y), (*x.shape[1:-1], kernel.shape[1]))


def conv(layer: ir.Conv, arrays: Arrays, x: tf.Tensor) -> tf.Tensor:
    """Zeros beside the inputs are laid there first where TensorFlow does not do it itself."""
    windows, positions = layer.windows, tuple(x.shape[1:-1])
    padding = padded_by_itself(windows, positions)
    if padding is None:
        x, padding = beside(x, windows.pairs(positions)), "VALID"
    kernel = _dilated(arrays["kernel"], layer.dilations)
    y = _convolved(x, kernel, layer.strides, padding, layer.groups)
    return _biased(arrays, y)


def _convolved(
    x: tf.Tensor, kernel: tf.Tensor, strides: Shape, padding: str, groups: int
) -> tf.Tensor:
    """Of any rank; one axis is a second one of length 1."""
    if len(strides) == 1:
        wide, flat = x[:, None], kernel[None]
        return _convolved(wide, flat, (strides[0], *strides), padding, groups)[:, 0]
    if len(strides) == 2 and groups > 1 and kernel.shape[-2] == 1:
        return _filtered(x, kernel, strides, padding)
    convolve = tf.nn.conv2d if len(strides) == 2 else tf.nn.conv3d
    weigh = partial(convolve, strides=(1, *strides, 1), padding=padding)
    if groups == 1:
        return weigh(x, kernel)
    # the gradient of groups is there for float32 alone
    pairs = zip(tf.split(x, groups, -1), tf.split(kernel, groups, -1), strict=True)
    return tf.concat([weigh(*pair) for pair in pairs], -1)


def _filtered(x: tf.Tensor, kernel: tf.Tensor, strides: Shape, padding: str) -> tf.Tensor:
    """Each channel by itself; TensorFlow takes strides that are equal."""
    shape = (*kernel.shape[:2], x.shape[-1], kernel.shape[-1] // x.shape[-1])
    filters = tf.reshape(kernel, shape)
    if len(set(strides)) == 1:
        return tf.nn.depthwise_conv2d(x, filters, (1, *strides, 1), padding)
    if padding == "SAME":
        windows = Windows(tuple(shape[:2]), strides, (1, 1), "same")
        x = beside(x, windows.pairs(tuple(x.shape[1:-1])))
    y = tf.nn.depthwise_conv2d(x, filters, (1, 1, 1, 1), "VALID")
    return y[:, :: strides[0], :: strides[1]]


def padded_by_itself(windows: Windows, positions: Shape) -> str | None:
    """TensorFlow's name for the padding of those windows; None where it has none."""
    pairs = windows.pairs(positions)
    if not any(map(any, pairs)):
        return "VALID"
    same = attrs.evolve(windows, padding="same")
    alike = pairs == same.pairs(positions) and windows.counts(positions) == same.counts(positions)
    return "SAME" if alike else None


def _dilated(kernel: tf.Tensor, dilations: Shape) -> tf.Tensor:
    """With zeros between its places: TensorFlow has no gradient of dilated convolutions on the CPU."""
    for axis, apart in enumerate(dilations):
        if apart > 1:
            kernel = _spread(kernel, axis, apart)
    return kernel


def _spread(kernel: tf.Tensor, axis: int, apart: int) -> tf.Tensor:
    shape = kernel.shape.as_list()
    places = tf.expand_dims(kernel, axis + 1)
    amounts = [(0, 0)] * len(places.shape)
    amounts[axis + 1] = (0, apart - 1)
    held = tf.reshape(
        tf.pad(places, amounts), [*shape[:axis], shape[axis] * apart, *shape[axis + 1 :]]
    )
    cut = [*shape[:axis], (shape[axis] - 1) * apart + 1, *shape[axis + 1 :]]
    return tf.slice(held, [0] * len(shape), cut)


def conv_transpose(layer: ir.ConvTranspose, arrays: Arrays, x: tf.Tensor) -> tf.Tensor:
    """All of the outputs are made, and then cut or continued by zeros."""
    kernel = _dilated(arrays["kernel"], layer.dilations)
    y = _enlarged(x, kernel, layer.strides)
    y = beside(y, [(0, more) for more in layer.output_padding])
    ends = zip(y.shape[1:-1], layer.padding, strict=True)
    y = y[:, *(slice(before, size - after) for size, (before, after) in ends)]
    return _biased(arrays, y)


def _enlarged(x: tf.Tensor, kernel: tf.Tensor, strides: Shape) -> tf.Tensor:
    if len(strides) == 1:
        return _enlarged(x[:, None], kernel[None], (1, *strides))[:, 0]
    *size, fan_in, units = range(len(kernel.shape))
    enlarge: Callable[..., tf.Tensor] = (
        tf.nn.conv2d_transpose if len(strides) == 2 else tf.nn.conv3d_transpose
    )
    axes = zip(x.shape[1:-1], strides, kernel.shape[:-2], strict=True)
    shape = (tf.shape(x)[0], *((n - 1) * s + k for n, s, k in axes), kernel.shape[-1])
    turned = tf.transpose(kernel, (*size, units, fan_in))
    return enlarge(x, turned, shape, (1, *strides, 1), "VALID")


def _biased(arrays: Arrays, y: tf.Tensor) -> tf.Tensor:
    return tf.nn.bias_add(y, arrays["bias"]) if "bias" in arrays else y


def embedding(layer: ir.Embedding, arrays: Arrays, x: tf.Tensor) -> tf.Tensor:
    """Rows of a table; `check_tokens` looks at the inputs before."""
    return tf.gather(arrays["table"], tf.cast(x, tf.int32))


def check_tokens(layer: ir.Embedding, x: tf.Tensor) -> None:
    """Raise BackendError unless each input is the number of a row, as `Embedding.forward` wants it."""
    known = (x >= 0) & (x < layer.tokens) & (x == tf.floor(x))
    if not tf.reduce_all(known):
        raise BackendError(
            f"Embedding.table has {layer.tokens} rows, so inputs are whole numbers from 0 to"
            f" {layer.tokens - 1}, got {x[~known][0].numpy():g}"
        )
