"""The convolutional networks of `training_speed.py`: for our backends, and as plain torch modules.

LeNet-5 with ReLU and maximum pooling, on one channel of 28 × 28; the residual network of three blocks
of He et al. (2015), 16 to 64 channels with BatchNorm, on three channels of 32 × 32.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from nas_surgery.network import (
    Activation,
    Add,
    BatchNorm,
    Conv,
    Dense,
    Flatten,
    GlobalAveragePool,
    Layer,
    MaxPool,
    Network,
)

CLASSES = 10


class _Drawn:
    """Random float32 layers, one behind the other unless sources are named."""

    def __init__(self) -> None:
        self.generator = np.random.default_rng(0)
        self.layers: list[Layer] = []
        self.wires: dict[int, tuple[int, ...]] = {}

    def add(self, layer: Layer, *sources: int) -> int:
        if sources:
            self.wires[len(self.layers)] = sources
        self.layers.append(layer)
        return len(self.layers) - 1

    def kernel(self, *shape: int) -> np.ndarray:
        scale = np.sqrt(2 / np.prod(shape[:-1]))
        return (scale * self.generator.standard_normal(shape)).astype(np.float32)

    def conv(self, fan_in: int, units: int, size: int, *sources: int, **settings: Any) -> int:
        return self.add(Conv(self.kernel(size, size, fan_in, units), **settings), *sources)

    def norm(self, units: int) -> int:
        zeros, ones = np.zeros(units, np.float32), np.ones(units, np.float32)
        return self.add(BatchNorm(zeros, ones, ones, zeros))

    def relu(self) -> int:
        return self.add(Activation("relu"))

    def dense(self, fan_in: int, units: int) -> int:
        return self.add(Dense(self.kernel(fan_in, units), np.zeros(units, np.float32)))


def lenet(width: int) -> Network:
    """Width: channels of the first convolution, 6 in the original."""
    net, wide = _Drawn(), 16
    for fan_in, units, padding in ((1, width, 2), (width, wide, 0)):
        bias = np.zeros(units, np.float32)
        net.conv(fan_in, units, 5, bias=bias, padding=padding)
        net.relu()
        net.add(MaxPool((2, 2)))
    net.add(Flatten())
    for fan_in, units in ((25 * wide, 120), (120, 84)):
        net.dense(fan_in, units)
        net.relu()
    net.dense(84, CLASSES)
    return Network((28, 28, 1), net.layers)


def resnet8(width: int) -> Network:
    """Width: channels of the first stage."""
    net = _Drawn()
    net.conv(3, width, 3, padding=1)
    net.norm(width)
    last = net.relu()
    for fan_in, units, strides in _stages(width):
        net.conv(fan_in, units, 3, padding=1, strides=strides)
        net.norm(units)
        net.relu()
        net.conv(units, units, 3, padding=1)
        branch = net.norm(units)
        if strides > 1:
            net.conv(fan_in, units, 1, last, strides=strides)
            last = net.norm(units)
        net.add(Add(), branch, last)
        last = net.relu()
    net.add(GlobalAveragePool())
    net.dense(4 * width, CLASSES)
    return Network((32, 32, 3), net.layers, net.wires)


def _stages(width: int) -> tuple[tuple[int, int, int], ...]:
    return (width, width, 1), (width, 2 * width, 2), (2 * width, 4 * width, 2)


def torch_lenet(width: int) -> Any:
    """The same as a user of torch writes it."""
    from torch import nn

    return nn.Sequential(
        *(nn.Conv2d(1, width, 5, padding=2), nn.ReLU(inplace=True), nn.MaxPool2d(2)),
        *(nn.Conv2d(width, 16, 5), nn.ReLU(inplace=True), nn.MaxPool2d(2), nn.Flatten()),
        *(nn.Linear(400, 120), nn.ReLU(inplace=True), nn.Linear(120, 84), nn.ReLU(inplace=True)),
        nn.Linear(84, CLASSES),
    )


def torch_resnet8(width: int) -> Any:
    """The same, with ReLU in place as torchvision has it."""
    from torch import nn

    def unit(fan_in: int, units: int, size: int, strides: int) -> list[Any]:
        conv = nn.Conv2d(fan_in, units, size, strides, size // 2, bias=False)
        return [conv, nn.BatchNorm2d(units)]

    class Block(nn.Module):
        def __init__(self, fan_in: int, units: int, strides: int) -> None:
            super().__init__()
            first, second = unit(fan_in, units, 3, strides), unit(units, units, 3, 1)
            self.branch = nn.Sequential(*first, nn.ReLU(inplace=True), *second)
            short = unit(fan_in, units, 1, strides) if strides > 1 else []
            self.short, self.relu = nn.Sequential(*short), nn.ReLU(inplace=True)

        def forward(self, x: Any) -> Any:
            return self.relu(self.branch(x) + self.short(x))

    stem = [*unit(3, width, 3, 1), nn.ReLU(inplace=True)]
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4 * width, CLASSES)]
    return nn.Sequential(*stem, *(Block(*stage) for stage in _stages(width)), *head)


IMAGES: dict[str, tuple[Callable[[int], Network], Callable[[int], Any]]] = {
    "lenet": (lenet, torch_lenet),
    "resnet8": (resnet8, torch_resnet8),
}
"""By name: the network and the module, of a width."""
