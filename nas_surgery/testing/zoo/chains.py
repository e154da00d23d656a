"""Convolutional networks whose layers each read the one before."""

import numpy as np
from numpy.typing import DTypeLike

from nas_surgery.network import AveragePool, Flatten, MaxPool, Network, Shape
from nas_surgery.testing.wiring import Wiring


def lenet(
    input_shape: Shape = (28, 28, 1),
    classes: int = 10,
    width: int = 6,
    seed: int = 0,
    dtype: DTypeLike = np.float32,
) -> Network:
    """LeNet-5 (LeCun et al., 1998) with ReLU; width: channels of the first convolution."""
    net = Wiring(input_shape, seed)
    for channels in (width, width * 8 // 3):
        net.conv(channels, 5)
        net.activate()
        net.add(AveragePool((2, 2)))
    net.add(Flatten())
    for units in (20 * width, 14 * width):
        net.dense(units)
        net.activate()
    net.dense(classes, gain=1)
    return net.network(dtype)


def vgg(
    input_shape: Shape = (16, 16, 3),
    classes: int = 10,
    width: int = 8,
    seed: int = 0,
    dtype: DTypeLike = np.float32,
) -> Network:
    """Pairs of 3 × 3 convolutions with BatchNorm between poolings, as VGG (Simonyan, Zisserman, 2014) has them."""
    net = Wiring(input_shape, seed)
    for channels in (width, 2 * width, 4 * width):
        net.unit(channels)
        net.unit(channels)
        net.add(MaxPool((2, 2)))
    net.add(Flatten())
    net.dense(8 * width)
    net.activate()
    net.dense(classes, gain=1)
    return net.network(dtype)
