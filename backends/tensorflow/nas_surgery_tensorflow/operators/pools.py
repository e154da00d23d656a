"""Layers that make one value of a window, or of all positions."""

from collections.abc import Iterator
from functools import reduce

import numpy as np
import tensorflow as tf

import nas_surgery.network as ir
from nas_surgery.network import Shape
from nas_surgery.network.layers.windows import Pairs, Windows
from nas_surgery_tensorflow.operators.base import Arrays, beside, with_shape
from nas_surgery_tensorflow.operators.linear import padded_by_itself

INFINITY = float("inf")


def max_pool(layer: ir.MaxPool, arrays: Arrays, x: tf.Tensor) -> tf.Tensor:
    """TensorFlow's own drops NaN: all that comes of a sample with NaN is NaN then.

    Windows beside each other are compared axis by axis: oneDNN's gradient is left out now and then.
    """
    windows, positions = layer.windows, tuple(x.shape[1:-1])
    if layer.strides == layer.window and windows.counts(positions) == _whole(layer, positions):
        return _by_axes(layer, x)
    if len(layer.window) != 2 or max(layer.dilations) > 1:
        return reduce(tf.maximum, _taps(windows, x, -INFINITY))
    padding = padded_by_itself(windows, positions)
    if padding is None:
        x, padding = beside(x, around(windows, positions), -INFINITY), "VALID"
    y = tf.nn.max_pool2d(x, layer.window, layer.strides, padding)
    return y + tf.stop_gradient(_unknown(x))


def _whole(layer: ir.MaxPool, positions: Shape) -> Shape | None:
    """How many windows there are beside each other; None where they look at anything else."""
    if max(layer.dilations) > 1 or any(map(any, layer.windows.pairs(positions))):
        return None
    return tuple(n // size for n, size in zip(positions, layer.window, strict=True))


def _by_axes(layer: ir.MaxPool, x: tf.Tensor) -> tf.Tensor:
    for axis, size in enumerate(layer.window):
        *outer, n = x.shape[1 : axis + 2]
        inner = tuple(x.shape[axis + 2 :])
        count = n // size
        x = x[:, *(slice(None),) * axis, : count * size]
        parts = tf.unstack(with_shape(x, (*outer, count, size, *inner)), axis=axis + 2)
        x = reduce(tf.maximum, parts)
    return x


def _unknown(x: tf.Tensor) -> tf.Tensor:
    """NaN for each sample that holds one, else 0, (N, 1, ...)."""
    largest = tf.reduce_max(x, range(1, len(x.shape)), keepdims=True)
    return tf.where(tf.math.is_nan(largest), largest, tf.zeros_like(largest))


def average_pool(layer: ir.AveragePool, arrays: Arrays, x: tf.Tensor) -> tf.Tensor:
    """Where padding counts or is uneven, means over all of a window are brought to what counts."""
    windows, positions = layer.windows, tuple(x.shape[1:-1])
    if len(layer.window) != 2:
        total = reduce(tf.add, _taps(windows, x, 0.0))
        return total / tf.constant(layer.counts(positions), x.dtype)
    padding = padded_by_itself(windows, positions)
    if padding == "VALID" or (padding == "SAME" and not layer.count_padding):
        return tf.nn.avg_pool2d(x, layer.window, layer.strides, padding)
    padded = beside(x, around(windows, positions))
    y = tf.nn.avg_pool2d(padded, layer.window, layer.strides, "VALID")
    return y * tf.constant(windows.places / layer.counts(positions), x.dtype)


def global_average_pool(layer: ir.GlobalAveragePool, arrays: Arrays, x: tf.Tensor) -> tf.Tensor:
    """The mean of all positions."""
    return tf.reduce_mean(x, _positions(x), keepdims=layer.keep)


def global_max_pool(layer: ir.GlobalMaxPool, arrays: Arrays, x: tf.Tensor) -> tf.Tensor:
    """The largest value of all positions."""
    return tf.reduce_max(x, _positions(x), keepdims=layer.keep)


def _positions(x: tf.Tensor) -> tuple[int, ...]:
    return tuple(range(1, len(x.shape) - 1))


def _taps(windows: Windows, x: tf.Tensor, fill: float) -> Iterator[tf.Tensor]:
    """What stands at each place of the windows: TensorFlow pools volumes in float32 alone."""
    positions = tuple(x.shape[1:-1])
    counts, padded = windows.counts(positions), beside(x, around(windows, positions), fill)
    for place in np.ndindex(*windows.size):
        starts = [d * i for d, i in zip(windows.dilations, place, strict=True)]
        axes = zip(starts, counts, windows.strides, strict=True)
        yield padded[:, *(slice(a, a + (n - 1) * s + 1, s) for a, n, s in axes)]


def around(windows: Windows, positions: Shape) -> Pairs:
    """What windows stand on before and after the inputs."""
    axes = zip(
        positions,
        windows.counts(positions),
        windows.strides,
        windows.reach,
        windows.pairs(positions),
        strict=True,
    )
    return tuple((b, max((m - 1) * s + reach - n - b, 0)) for n, m, s, reach, (b, _) in axes)
