"""Layers that carry a state from position to position."""

from collections.abc import Callable

import tensorflow as tf

import nas_surgery.network as ir
from nas_surgery_tensorflow.operators.base import Arrays

States = tuple[tf.Tensor, ...]
Advance = Callable[[tf.Tensor, States], States]


def lstm(layer: ir.LSTM, arrays: Arrays, x: tf.Tensor) -> tf.Tensor:
    """Gates i, f, g, o."""
    recurrent = _rows(arrays["recurrent"])

    def advance(inputs: tf.Tensor, states: States) -> States:
        h, c = states
        i, f, g, o = tf.split(inputs + tf.matmul(h, recurrent), 4, -1)
        c = tf.sigmoid(f) * c + tf.sigmoid(i) * tf.tanh(g)
        return tf.sigmoid(o) * tf.tanh(c), c

    return _walked(layer, _gates(arrays, x), advance)


def gru(layer: ir.GRU, arrays: Arrays, x: tf.Tensor) -> tf.Tensor:
    """Gates r, z, n."""
    recurrent = _rows(arrays["recurrent"])
    bias = tf.reshape(arrays["recurrent_bias"], (-1,)) if "recurrent_bias" in arrays else None

    def advance(inputs: tf.Tensor, states: States) -> States:
        (h,) = states
        recurring = tf.matmul(h, recurrent)
        recurring = recurring if bias is None else tf.nn.bias_add(recurring, bias)
        (a, b, c), (d, e, f) = (tf.split(each, 3, -1) for each in (inputs, recurring))
        r, z = tf.sigmoid(a + d), tf.sigmoid(b + e)
        return ((1 - z) * tf.tanh(c + r * f) + z * h,)

    return _walked(layer, _gates(arrays, x), advance)


def _rows(kernel: tf.Tensor) -> tf.Tensor:
    """(in, gates · units)."""
    return tf.reshape(kernel, (kernel.shape[0], -1))


def _gates(arrays: Arrays, x: tf.Tensor) -> tf.Tensor:
    """What the inputs say to each gate, (L, N, gates · units)."""
    kernel = _rows(arrays["kernel"])
    y = tf.matmul(tf.reshape(tf.transpose(x, (1, 0, 2)), (-1, x.shape[-1])), kernel)
    if "bias" in arrays:
        y = tf.nn.bias_add(y, tf.reshape(arrays["bias"], (-1,)))
    return tf.reshape(y, (x.shape[1], -1, kernel.shape[1]))


def _walked(layer: ir.LSTM | ir.GRU, inputs: tf.Tensor, advance: Advance) -> tf.Tensor:
    """Each output where its input stands, or the one that was computed last."""
    length, units = inputs.shape[0], layer.units
    zeros = tf.zeros((tf.shape(inputs)[1], units), inputs.dtype)
    outputs = tf.TensorArray(inputs.dtype, length, element_shape=(None, units))

    def step(count: tf.Tensor, outputs: tf.TensorArray, states: States) -> tuple[object, ...]:
        place = length - 1 - count if layer.reverse else count
        states = advance(inputs[place], states)
        held = outputs.write(place, states[0]) if layer.sequences else outputs
        return count + 1, held, states

    start = tf.constant(0), outputs, (zeros,) * layer.states
    _, outputs, states = tf.while_loop(
        lambda count, *_: count < length, step, start, maximum_iterations=length
    )
    return tf.transpose(outputs.stack(), (1, 0, 2)) if layer.sequences else states[0]
