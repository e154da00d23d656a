"""Preprocessing that is never trained."""

from typing import ClassVar

import attrs
import numpy as np

from nas_surgery.network.arrays import Array, Shape, frozen_array
from nas_surgery.network.channels import Channels, Outputs
from nas_surgery.network.errors import NetworkError
from nas_surgery.network.layers.base import Layer
from nas_surgery.network.roundoff import gamma


@attrs.frozen(eq=False)
class Normalize(Layer):
    """Frozen preprocessing, `(x - mean) / scale`; stands before every linear layer and Dropout.

    mean, scale: scalars or arrays that broadcast to one sample; scale has no zeros.
    """

    kind: ClassVar[str] = "normalize"
    channels: ClassVar[Channels] = Channels(Outputs.FROZEN)
    leads: ClassVar[bool] = True
    blank: ClassVar[float] = 1.0

    mean: Array = attrs.field(converter=frozen_array)
    scale: Array = attrs.field(converter=frozen_array)

    def __attrs_post_init__(self) -> None:
        if not np.all(self.scale):
            raise NetworkError("Normalize.scale must not contain zeros")

    def output_shape(self, input_shape: Shape) -> Shape:
        for name, array in self.arrays().items():
            if not _broadcasts(array.shape, input_shape):
                raise NetworkError(
                    f"Normalize.{name} of shape {array.shape} does not broadcast to {input_shape}"
                )
        return input_shape

    def forward(self, x: Array) -> Array:
        y: Array = (x - self.mean) / self.scale
        return y

    def error_behind(self, x: Array, errors: Array, unit: float) -> Array:
        carried = errors / np.abs(self.scale)
        bound: Array = carried + gamma(3, unit) * (np.abs(self.forward(x)) + carried)
        return bound

    def usual_inputs(self, x: Array) -> Array:
        values: Array = x * self.scale + self.mean
        return values


def _broadcasts(shape: Shape, target: Shape) -> bool:
    """Whether `shape` broadcasts to exactly `target`."""
    if len(shape) > len(target):
        return False
    tail = target[len(target) - len(shape) :]
    return all(a in (1, b) for a, b in zip(shape, tail, strict=True))
