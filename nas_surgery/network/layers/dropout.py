"""Noise while training."""

from numbers import Real
from typing import ClassVar

import attrs

from nas_surgery.network.arguments import described
from nas_surgery.network.arrays import Array, Shape
from nas_surgery.network.channels import Channels, Outputs, Passes
from nas_surgery.network.errors import NetworkError
from nas_surgery.network.layers.base import Layer


@attrs.frozen
class Dropout(Layer):
    """While training, drops each value with probability `rate` and rescales the rest by 1/(1 - rate)."""

    kind: ClassVar[str] = "dropout"
    channels: ClassVar[Channels] = Channels(Outputs.SAME)
    random: ClassVar[bool] = True

    rate: float = 0.5

    def __attrs_post_init__(self) -> None:
        if not isinstance(self.rate, Real) or not 0 <= self.rate < 1:
            raise NetworkError(f"Dropout.rate must be in [0, 1), got {described(self.rate)}")

    @property
    def passes(self) -> Passes:
        return Passes.ANY

    def output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def forward(self, x: Array) -> Array:
        return x

    def backward(self, x: Array, y: Array, gradient: Array) -> Array:
        return gradient

    def describe(self) -> str:
        return f"{super().describe()} {self.rate:g}"
