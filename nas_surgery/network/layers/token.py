"""Positions that hold the same for every sample."""

from typing import ClassVar

import attrs
import numpy as np

from nas_surgery.network.arrays import Array, Shape, frozen_array
from nas_surgery.network.channels import Axis, Channels, Outputs, Passes
from nas_surgery.network.errors import NetworkError
from nas_surgery.network.layers.base import Layer
from nas_surgery.network.layers.fields import check_shape


@attrs.frozen(eq=False)
class Token(Layer):
    """`values` (k, C) before the positions of a sequence (L, C): (k + L, C)."""

    kind: ClassVar[str] = "token"
    trainable: ClassVar[tuple[str, ...]] = ("values",)
    channels: ClassVar[Channels] = Channels(Outputs.SAME, per_channel=(Axis("values", -1),))

    values: Array = attrs.field(converter=frozen_array)

    def __attrs_post_init__(self) -> None:
        check_shape(self, "values", ("k", "C"))

    @property
    def passes(self) -> Passes:
        return Passes.SELECTION

    def output_shape(self, input_shape: Shape) -> Shape:
        count, width = self.values.shape
        if len(input_shape) != 2 or input_shape[-1] != width:
            raise NetworkError(
                f"Token.values {self.values.shape} needs a sequence of {width} channels,"
                f" got inputs of shape {input_shape}"
            )
        return (count + input_shape[0], width)

    def forward(self, x: Array) -> Array:
        return self._before(self.values, x)

    def backward(self, x: Array, y: Array, gradient: Array) -> Array:
        return gradient[:, len(self.values) :]

    def error_behind(self, x: Array, errors: Array, unit: float) -> Array:
        return self._before(np.zeros_like(self.values), errors)

    def _before(self, values: Array, x: Array) -> Array:
        return np.concatenate([np.broadcast_to(values, (len(x), *values.shape)), x], axis=1)
