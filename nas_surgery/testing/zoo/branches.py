"""Networks whose branches stand side by side."""

import numpy as np
from numpy.typing import DTypeLike

from nas_surgery.network import (
    AveragePool,
    Concat,
    ConvTranspose,
    GlobalAveragePool,
    MaxPool,
    Network,
    Resize,
    Select,
    Shape,
)
from nas_surgery.testing.wiring import Wiring


def densenet(
    input_shape: Shape = (16, 16, 3),
    classes: int = 10,
    width: int = 8,
    seed: int = 0,
    dtype: DTypeLike = np.float32,
) -> Network:
    """Each layer reads all before it in its block, as in DenseNet (Huang et al., 2016); width: the growth."""
    net = Wiring(input_shape, seed)
    net.conv(2 * width)
    for block in range(2):
        for _ in range(3):
            source = net.last
            net.batch_norm()
            net.activate()
            net.add(Concat(), source, net.conv(width))
        net.batch_norm()
        net.activate()
        if not block:
            net.conv(net.width() // 2, 1)
            net.add(AveragePool((2, 2)))
    net.add(GlobalAveragePool())
    net.dense(classes, gain=1)
    return net.network(dtype)


def inception(
    input_shape: Shape = (16, 16, 3),
    classes: int = 10,
    width: int = 8,
    seed: int = 0,
    dtype: DTypeLike = np.float32,
) -> Network:
    """Windows of several sizes and a pool side by side, as in GoogLeNet (Szegedy et al., 2014)."""
    net = Wiring(input_shape, seed)
    net.unit(width, strides=2)
    for _ in range(2):
        source = net.last
        narrow = net.unit(width, 1, source)
        net.unit(width, 1, source)
        middle = net.unit(width)
        net.unit(width // 2, 1, source)
        net.unit(width // 2)
        far = net.unit(width // 2)
        net.add(MaxPool((3, 3), strides=1, padding=1), source)
        pooled = net.unit(width // 2, 1)
        net.add(Concat(), narrow, middle, far, pooled)
    net.add(GlobalAveragePool())
    net.dense(classes, gain=1)
    return net.network(dtype)


def shufflenet(
    input_shape: Shape = (16, 16, 3),
    classes: int = 10,
    width: int = 8,
    seed: int = 0,
    dtype: DTypeLike = np.float32,
) -> Network:
    """Half of the channels pass by each block, then all are shuffled, as in ShuffleNetV2 (Ma et al., 2018)."""
    net = Wiring(input_shape, seed)
    net.unit(2 * width, strides=2)
    for _ in range(3):
        source, half = net.last, net.width() // 2
        passed = net.add(Select(range(half)), source)
        net.add(Select(range(half, 2 * half)), source)
        net.unit(half, 1)
        net.depthwise()
        net.batch_norm()
        net.add(Concat(), passed, net.unit(half, 1))
        net.add(Select(np.arange(2 * half).reshape(2, half).T.ravel()))
    net.unit(4 * width, 1)
    net.add(GlobalAveragePool())
    net.dense(classes, gain=1)
    return net.network(dtype)


def unet(
    input_shape: Shape = (16, 16, 3),
    classes: int = 10,
    width: int = 8,
    seed: int = 0,
    dtype: DTypeLike = np.float32,
) -> Network:
    """Down and up again, with what was there before beside it, as in U-Net (Ronneberger et al., 2015).

    Up once by a transposed convolution and once by its neighbours; then the mean over positions.
    """
    net = Wiring(input_shape, seed)
    first = net.unit(width)
    net.add(MaxPool((2, 2)))
    second = net.unit(2 * width)
    net.add(MaxPool((2, 2)))
    net.unit(4 * width)
    kernel = net.normal(2, 2, 4 * width, 2 * width, deviation=(0.5 / width) ** 0.5)
    net.add(ConvTranspose(kernel, net.normal(2 * width, deviation=0.1), strides=2))
    net.add(Concat(), second, net.last)
    net.unit(2 * width)
    net.add(Resize(net.shapes[first][:-1]))
    net.add(Concat(), first, net.last)
    net.unit(width)
    net.add(GlobalAveragePool())
    net.dense(classes, gain=1)
    return net.network(dtype)
