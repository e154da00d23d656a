"""Layers that normalise."""

from math import prod

import tensorflow as tf

import nas_surgery.network as ir
from nas_surgery_tensorflow.operators.base import Arrays, with_shape


def batch_norm(layer: ir.BatchNorm, arrays: Arrays, x: tf.Tensor) -> tf.Tensor:
    """By what training measured."""
    factor = 1 / tf.sqrt(arrays["variance"] + layer.epsilon)
    if "scale" in arrays:
        factor *= arrays["scale"]
    y = (x - arrays["mean"]) * factor
    return y + arrays["offset"] if "offset" in arrays else y


def batch_norm_of_batch(
    layer: ir.BatchNorm, arrays: Arrays, x: tf.Tensor
) -> tuple[tf.Tensor, Arrays]:
    """By the batch itself, whose mean and variance move those of the layer.

    One value says nothing of a variance, so a batch that holds no more leaves it as it is.
    """
    rows = tf.reshape(x, (-1, 1, 1, x.shape[-1]))
    normalise = _fused if x.dtype == tf.float32 else _unfused
    y, mean, variance = normalise(layer, arrays, rows)
    held = arrays["variance"]
    moved = _moved(layer, held, variance)
    measured = {
        "mean": _moved(layer, arrays["mean"], mean),
        "variance": tf.where(tf.shape(rows)[0] > 1, moved, held),
    }
    return with_shape(y, tuple(x.shape[1:])), measured


def _moved(layer: ir.BatchNorm, held: tf.Tensor, found: tf.Tensor) -> tf.Tensor:
    return (1 - layer.momentum) * held + layer.momentum * tf.stop_gradient(found)


def _fused(
    layer: ir.BatchNorm, arrays: Arrays, rows: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """In one kernel: outputs, mean, and unbiased variance."""
    none = tf.zeros(0)
    y, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
        x=rows,
        scale=arrays.get("scale", tf.ones_like(arrays["mean"])),
        offset=arrays.get("offset", tf.zeros_like(arrays["mean"])),
        mean=none,
        variance=none,
        epsilon=layer.epsilon,
        is_training=True,
    )
    return y, mean, variance


def _unfused(
    layer: ir.BatchNorm, arrays: Arrays, rows: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """The same; float64 has no such kernel."""
    mean = tf.reduce_mean(rows, (0, 1, 2))
    variance = tf.reduce_mean(tf.square(rows - mean), (0, 1, 2))
    count = tf.cast(tf.shape(rows)[0], rows.dtype)
    y = batch_norm(layer, {**arrays, "mean": mean, "variance": variance}, rows)
    return y, mean, variance * (count / tf.maximum(count - 1, 1))


def layer_norm(layer: ir.LayerNorm, arrays: Arrays, x: tf.Tensor) -> tf.Tensor:
    """Over the channels of each position."""
    return _affine(arrays, _standardised(x, (-1,), layer.epsilon))


def rms_norm(layer: ir.RMSNorm, arrays: Arrays, x: tf.Tensor) -> tf.Tensor:
    """The same without a mean."""
    size = tf.reduce_mean(tf.square(x), -1, keepdims=True)
    return x / tf.sqrt(size + layer.epsilon) * arrays["scale"]


def group_norm(layer: ir.GroupNorm, arrays: Arrays, x: tf.Tensor) -> tf.Tensor:
    """Over positions and the channels of each group."""
    return _by_groups(layer.groups, layer.epsilon, arrays, x)


def instance_norm(layer: ir.InstanceNorm, arrays: Arrays, x: tf.Tensor) -> tf.Tensor:
    """Over the positions of each channel, which are groups of one."""
    return _by_groups(x.shape[-1], layer.epsilon, arrays, x)


def _by_groups(groups: int, epsilon: float, arrays: Arrays, x: tf.Tensor) -> tf.Tensor:
    *positions, channels = x.shape[1:]
    blocks = with_shape(x, (prod(positions), groups, channels // groups))
    y = _standardised(blocks, (1, 3), epsilon)
    return _affine(arrays, with_shape(y, tuple(x.shape[1:])))


def _standardised(x: tf.Tensor, axes: tuple[int, ...], epsilon: float) -> tf.Tensor:
    centred = x - tf.reduce_mean(x, axes, keepdims=True)
    return centred / tf.sqrt(tf.reduce_mean(tf.square(centred), axes, keepdims=True) + epsilon)


def _affine(arrays: Arrays, y: tf.Tensor) -> tf.Tensor:
    y = y * arrays["scale"] if "scale" in arrays else y
    return y + arrays["offset"] if "offset" in arrays else y


def softmax(layer: ir.Softmax, arrays: Arrays, x: tf.Tensor) -> tf.Tensor:
    """Over the channels of each position."""
    return tf.nn.softmax(x)
