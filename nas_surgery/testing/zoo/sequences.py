"""Networks for sequences, and attention to the patches of images."""

import numpy as np
from numpy.typing import DTypeLike

from nas_surgery.network import (
    GRU,
    LSTM,
    Add,
    Attend,
    Concat,
    Conv,
    Crop,
    Embedding,
    Flatten,
    GlobalAveragePool,
    Network,
    Rearrange,
    Shape,
    Shift,
    Token,
)
from nas_surgery.testing.wiring import Wiring


def lstm(
    input_shape: Shape = (12, 8),
    classes: int = 10,
    width: int = 16,
    seed: int = 0,
    dtype: DTypeLike = np.float32,
) -> Network:
    """Two LSTM one after the other, of which the last output is classified."""
    net = Wiring(input_shape, seed)
    for sequences in (True, False):
        kernel, recurrent, bias = _gates(net, 4, width)
        net.add(LSTM(kernel, recurrent, bias, sequences=sequences))
    net.dense(classes, gain=1)
    return net.network(dtype)


def gru(
    input_shape: Shape = (12, 8),
    classes: int = 10,
    width: int = 16,
    seed: int = 0,
    dtype: DTypeLike = np.float32,
) -> Network:
    """A GRU in each direction over the outputs of another pair, of which the last outputs are classified."""
    net = Wiring(input_shape, seed)
    for sequences in (True, False):
        source = net.last
        ends = []
        for reverse in (False, True):
            kernel, recurrent, bias = _gates(net, 3, width, source)
            both = (bias, net.normal(3, width, deviation=0.1))
            ends.append(net.add(GRU(kernel, recurrent, *both, sequences, reverse), source))
        net.add(Concat(), *ends)
    net.dense(classes, gain=1)
    return net.network(dtype)


def _gates(
    net: Wiring, gates: int, units: int, source: int | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """kernel, recurrent and bias of a recurrent layer."""
    fan_in = net.width(source)
    return (
        net.normal(fan_in, gates, units, deviation=fan_in**-0.5),
        net.normal(units, gates, units, deviation=units**-0.5),
        net.normal(gates, units, deviation=0.1),
    )


def transformer(
    input_shape: Shape = (12,),
    classes: int = 10,
    width: int = 16,
    seed: int = 0,
    dtype: DTypeLike = np.float32,
    *,
    tokens: int = 50,
    depth: int = 2,
    heads: int = 4,
) -> Network:
    """A pre-norm encoder (Xiong et al., 2020) of tokens 0 to tokens - 1, of whose outputs the mean is classified."""
    net = Wiring(input_shape, seed)
    net.add(Embedding(net.normal(tokens, width)))
    net.add(Shift(net.normal(*input_shape, width, deviation=0.5)))
    for _ in range(depth):
        encoder_block(net, heads)
    net.layer_norm()
    net.add(GlobalAveragePool())
    net.dense(classes, gain=1)
    return net.network(dtype)


def vit(
    input_shape: Shape = (16, 16, 3),
    classes: int = 10,
    width: int = 16,
    seed: int = 0,
    dtype: DTypeLike = np.float32,
    *,
    patch: int = 4,
    depth: int = 2,
    heads: int = 4,
) -> Network:
    """A vision transformer (Dosovitskiy et al., 2020): patches, a token whose output is classified, positions."""
    net = Wiring(input_shape, seed)
    fan_in = patch * patch * input_shape[-1]
    kernel = net.normal(patch, patch, input_shape[-1], width, deviation=fan_in**-0.5)
    net.add(Conv(kernel, net.normal(width, deviation=0.1), strides=patch))
    rows, columns, _ = net.shapes[net.last]
    net.add(Rearrange((rows, columns), (0, 1), (2,)))
    net.add(Token(net.normal(1, width)))
    net.add(Shift(net.normal(1 + rows * columns, width, deviation=0.5)))
    for _ in range(depth):
        encoder_block(net, heads)
    net.layer_norm()
    net.add(Crop((0,), (1,)))
    net.add(Flatten())
    net.dense(classes, gain=1)
    return net.network(dtype)


def encoder_block(net: Wiring, heads: int, hidden: int = 2, causal: bool = False) -> int:
    """Attention and a perceptron of `hidden` times the width, each beside the stream and behind a LayerNorm."""
    stream, width = net.last, net.width()
    normed = net.layer_norm()
    q, k, v = (net.dense(width, normed, gain=1) for _ in range(3))
    net.add(Attend(heads, causal=causal), q, k, v)
    net.dense(width, gain=1)
    stream = net.add(Add(), stream, net.last)
    net.layer_norm()
    net.dense(hidden * width)
    net.activate("gelu")
    net.dense(width, gain=1)
    return net.add(Add(), stream, net.last)
