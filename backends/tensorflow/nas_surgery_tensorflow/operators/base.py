"""What operators have in common."""

from collections.abc import Iterable, Mapping

import tensorflow as tf

from nas_surgery.network import Shape

Arrays = Mapping[str, tf.Tensor]
"""A layer's arrays by field; while training also "mask", of a Dropout: what is kept."""

Pairs = Iterable[tuple[int, int]]


def beside(x: tf.Tensor, pairs: Pairs, value: float = 0.0) -> tf.Tensor:
    """Positions of one value before and after those of each axis."""
    amounts = [(0, 0), *pairs, (0, 0)]
    if not any(map(any, amounts)):
        return x
    return tf.pad(x, amounts, constant_values=tf.constant(value, x.dtype))


def with_shape(x: tf.Tensor, shape: Shape) -> tf.Tensor:
    """Samples in another shape."""
    return tf.reshape(x, (-1, *shape))
