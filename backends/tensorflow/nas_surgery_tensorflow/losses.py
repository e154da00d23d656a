"""The losses of each sample, with their gradients by the logits."""

from collections.abc import Callable

import tensorflow as tf

Loss = Callable[[tf.Tensor, tf.Tensor], tuple[tf.Tensor, tf.Tensor]]


def cross_entropy(logits: tf.Tensor, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Of softmax(logits) (B, classes) at the class indices y (B,): (B,) and (B, classes)."""
    loss, gradient = tf.raw_ops.SparseSoftmaxCrossEntropyWithLogits(features=logits, labels=y)
    return loss, gradient


def mean_squared_error(outputs: tf.Tensor, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Of outputs (B, outputs) against targets y of the same shape: (B,) and (B, outputs)."""
    difference = outputs - tf.cast(y, outputs.dtype)
    loss = tf.reduce_mean(difference * difference, axis=1)
    return loss, difference * (2 / outputs.shape[1])


LOSSES: dict[str, Loss] = {
    function.__name__: function for function in (cross_entropy, mean_squared_error)
}
