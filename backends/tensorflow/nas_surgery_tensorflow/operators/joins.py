"""Layers with several sources."""

from functools import reduce

import tensorflow as tf

import nas_surgery.network as ir
from nas_surgery_tensorflow.operators.base import Arrays, with_shape


def add(layer: ir.Add, arrays: Arrays, *xs: tf.Tensor) -> tf.Tensor:
    """A sum."""
    return reduce(tf.add, _aligned(xs))


def multiply(layer: ir.Multiply, arrays: Arrays, *xs: tf.Tensor) -> tf.Tensor:
    """A product."""
    return reduce(tf.multiply, _aligned(xs))


def _aligned(xs: tuple[tf.Tensor, ...]) -> list[tf.Tensor]:
    """Sources without positions get as many of length one as the others have."""
    rank = max(len(x.shape) for x in xs)
    return [_beside(x, rank) if len(x.shape) < rank else x for x in xs]


def _beside(x: tf.Tensor, rank: int) -> tf.Tensor:
    return with_shape(x, (*(1,) * (rank - 2), x.shape[-1]))


def concat(layer: ir.Concat, arrays: Arrays, *xs: tf.Tensor) -> tf.Tensor:
    """Channels beside each other."""
    return tf.concat(xs, -1)


def concat_positions(layer: ir.ConcatPositions, arrays: Arrays, *xs: tf.Tensor) -> tf.Tensor:
    """Positions one after the other."""
    return tf.concat(xs, layer.axis + 1)


def attend(layer: ir.Attend, arrays: Arrays, *xs: tf.Tensor) -> tf.Tensor:
    """Attention of each head."""
    width, positions = xs[0].shape[-1], tuple(xs[0].shape[1:-1])
    queries, keys, values = (_split(x, layer.heads) for x in xs)
    scores = tf.matmul(queries * layer.scale_for(width), keys, transpose_b=True)
    if "bias" in arrays:
        scores += arrays["bias"]
    if layer.causal:
        scores += tf.constant(layer.mask(positions[-1]), scores.dtype)
    heads = _swapped(tf.matmul(tf.nn.softmax(scores), values))
    return with_shape(heads, (*positions, xs[2].shape[-1]))


def _split(x: tf.Tensor, heads: int) -> tf.Tensor:
    """(..., positions, heads·d) as (..., heads, positions, d)."""
    *positions, width = x.shape[1:]
    return _swapped(with_shape(x, (*positions, heads, width // heads)))


def _swapped(x: tf.Tensor) -> tf.Tensor:
    """The second and third axis from the end in turned order."""
    *axes, second, third, last = range(len(x.shape))
    return tf.transpose(x, (*axes, third, second, last))
