"""Networks with residual streams."""

import numpy as np
from numpy.typing import DTypeLike

from nas_surgery.network import Add, GlobalAveragePool, Multiply, Network, Shape
from nas_surgery.testing.wiring import Wiring


def resnet8(
    input_shape: Shape = (16, 16, 3),
    classes: int = 10,
    width: int = 8,
    seed: int = 0,
    dtype: DTypeLike = np.float32,
    blocks: int = 1,
) -> Network:
    """The residual network for small images of He et al. (2015): three stages of so many blocks each."""
    net = Wiring(input_shape, seed)
    net.unit(width)
    for stage in range(3):
        for block in range(blocks):
            _residual_block(net, width << stage, 2 if stage and not block else 1)
    net.add(GlobalAveragePool())
    net.dense(classes, gain=1)
    return net.network(dtype)


def resnet20(
    input_shape: Shape = (16, 16, 3),
    classes: int = 10,
    width: int = 8,
    seed: int = 0,
    dtype: DTypeLike = np.float32,
) -> Network:
    """The same with three blocks in each stage."""
    return resnet8(input_shape, classes, width, seed, dtype, blocks=3)


def _residual_block(net: Wiring, channels: int, strides: int) -> None:
    source = net.last
    net.unit(channels, strides=strides)
    net.conv(channels)
    branch = net.batch_norm()
    if strides > 1:
        net.conv(channels, 1, source, strides)
        source = net.batch_norm()
    net.add(Add(), source, branch)
    net.activate()


def mobilenet(
    input_shape: Shape = (16, 16, 3),
    classes: int = 10,
    width: int = 8,
    seed: int = 0,
    dtype: DTypeLike = np.float32,
) -> Network:
    """Inverted residual blocks with depthwise convolutions and squeeze-excite, as of MobileNetV3 (Howard et al., 2019)."""
    net = Wiring(input_shape, seed)
    net.unit(width, strides=2, function="relu6")
    for channels, strides in ((width, 1), (2 * width, 2), (2 * width, 1)):
        _inverted_block(net, channels, strides)
    net.unit(6 * width, 1, function="relu6")
    net.add(GlobalAveragePool())
    net.dense(classes, gain=1)
    return net.network(dtype)


def _inverted_block(net: Wiring, channels: int, strides: int) -> None:
    source = net.last
    net.unit(3 * net.width(), 1, function="relu6")
    net.depthwise(strides=strides)
    net.batch_norm()
    inner = net.activate("relu6")
    net.add(GlobalAveragePool())
    net.dense(max(net.width() // 4, 1))
    net.activate()
    net.dense(net.width(inner), gain=1)
    gate = net.activate("sigmoid")
    net.add(Multiply(), inner, gate)
    net.conv(channels, 1)
    branch = net.batch_norm()
    if net.shapes[source] == net.shapes[branch]:
        net.add(Add(), source, branch)
