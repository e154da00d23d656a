"""Layers that move values between positions."""

from collections.abc import Iterable
from math import prod

import numpy as np
import tensorflow as tf

import nas_surgery.network as ir
from nas_surgery.network import Array
from nas_surgery_tensorflow.operators.base import Arrays, beside, with_shape


def flatten(layer: ir.Flatten, arrays: Arrays, x: tf.Tensor) -> tf.Tensor:
    """Positions outer, channels inner."""
    return with_shape(x, (prod(x.shape[1:]),))


def rearrange(layer: ir.Rearrange, arrays: Arrays, x: tf.Tensor) -> tf.Tensor:
    """Positions split, transposed and put together again."""
    channels = x.shape[-1]
    split = with_shape(x, (*layer.shape, channels))
    order = (0, *(axis + 1 for axis in layer.order), len(layer.order) + 1)
    return with_shape(tf.transpose(split, order), (*layer.positions, channels))


def token(layer: ir.Token, arrays: Arrays, x: tf.Tensor) -> tf.Tensor:
    """Positions that are the same for every sample, before the others."""
    values = arrays["values"]
    same = tf.broadcast_to(values, (tf.shape(x)[0], *values.shape))
    return tf.concat([same, x], 1)


def pad(layer: ir.Pad, arrays: Arrays, x: tf.Tensor) -> tf.Tensor:
    """Constants beside the inputs, or positions of theirs again."""
    if layer.mode == "constant":
        return beside(x, layer.amounts, layer.value)
    pairs = zip(x.shape[1:-1], layer.amounts, strict=True)
    mode = "reflect" if layer.mode == "reflect" else "edge"
    return _picked(x, [np.pad(np.arange(n), amounts, mode) for n, amounts in pairs])


def crop(layer: ir.Crop, arrays: Arrays, x: tf.Tensor) -> tf.Tensor:
    """Slices of positions."""
    return x[:, *map(slice, layer.starts, layer.ends(tuple(x.shape[1:-1])), layer.steps)]


def resize(layer: ir.Resize, arrays: Arrays, x: tf.Tensor) -> tf.Tensor:
    """Positions picked, or weighed sums of two."""
    axes = list(enumerate(x.shape[1:-1]))
    if layer.mode == "nearest":
        return _picked(x, [layer.nearest(axis, n) for axis, n in axes])
    for axis, n in axes:
        below, above, share = layer.neighbours(axis, n)
        weight = tf.constant(share.reshape(-1, *(1,) * (len(axes) - axis)), x.dtype)
        low, high = (tf.gather(x, places, axis=axis + 1) for places in (below, above))
        x = low * (1 - weight) + high * weight
    return x


def select(layer: ir.Select, arrays: Arrays, x: tf.Tensor) -> tf.Tensor:
    """Channels picked; those that stand beside each other are a slice."""
    first, last = layer.indices[0], layer.indices[-1]
    if layer.indices == tuple(range(first, last + 1)):
        return x[..., first : last + 1]
    return tf.gather(x, layer.indices, axis=-1)


def space_to_depth(layer: ir.SpaceToDepth, arrays: Arrays, x: tf.Tensor) -> tf.Tensor:
    """Squares of positions as channels."""
    height, width, channels = x.shape[1:]
    b = layer.block
    squares = with_shape(x, (height // b, b, width // b, b, channels))
    inner = (2, 4, 5) if layer.order == "positions_outer" else (5, 2, 4)
    return with_shape(
        tf.transpose(squares, (0, 1, 3, *inner)), (height // b, width // b, channels * b * b)
    )


def depth_to_space(layer: ir.DepthToSpace, arrays: Arrays, x: tf.Tensor) -> tf.Tensor:
    """Channels as squares of positions."""
    height, width, channels = x.shape[1:]
    b, few = layer.block, channels // layer.block**2
    outer = layer.order == "positions_outer"
    parts, order = ((b, b, few), (0, 1, 3, 2, 4, 5)) if outer else ((few, b, b), (0, 1, 4, 2, 5, 3))
    squares = tf.transpose(with_shape(x, (height, width, *parts)), order)
    return with_shape(squares, (height * b, width * b, few))


def _picked(x: tf.Tensor, places: Iterable[Array]) -> tf.Tensor:
    """Some positions along each axis, perhaps more than once."""
    for axis, held in enumerate(places):
        x = tf.gather(x, held, axis=axis + 1)
    return x
