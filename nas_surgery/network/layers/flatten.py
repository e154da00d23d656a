"""Positions and channels as one vector."""

from math import prod
from typing import ClassVar

import attrs

from nas_surgery.network.arrays import Array, Shape
from nas_surgery.network.channels import Channels, Outputs, Passes
from nas_surgery.network.layers.base import Layer


@attrs.frozen
class Flatten(Layer):
    """Every sample as one vector, positions outer and channels inner."""

    kind: ClassVar[str] = "flatten"
    channels: ClassVar[Channels] = Channels(Outputs.TILE)

    @property
    def passes(self) -> Passes:
        return Passes.ANY  # as I (positions) ⊗ M (channels)

    def output_shape(self, input_shape: Shape) -> Shape:
        return (prod(input_shape),)

    def forward(self, x: Array) -> Array:
        return x.reshape(len(x), prod(x.shape[1:]))

    def backward(self, x: Array, y: Array, gradient: Array) -> Array:
        return gradient.reshape(x.shape)
