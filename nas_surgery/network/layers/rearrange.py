"""Positions in another order."""

from itertools import accumulate, pairwise
from math import prod
from typing import ClassVar

import attrs
import numpy as np

from nas_surgery.network.arrays import Array, Shape
from nas_surgery.network.channels import Channels, Outputs, Passes
from nas_surgery.network.errors import NetworkError
from nas_surgery.network.layers.base import Layer
from nas_surgery.network.layers.fields import settled, wholes


@attrs.frozen
class Rearrange(Layer):
    """Positions split into the factors `shape`, transposed to `order`, and put together again.

    result: how many of the factors, in their new order, make each axis. Channels stay last. So
    Rearrange((2, 4, 2, 4), (0, 2, 1, 3), (2, 2)) cuts 8 × 8 positions into 4 windows of 16.
    """

    kind: ClassVar[str] = "rearrange"
    channels: ClassVar[Channels] = Channels(Outputs.SAME)

    shape: Shape
    order: Shape
    result: Shape

    def __attrs_post_init__(self) -> None:
        least = {"shape": 1, "order": 0, "result": 1}
        held = {k: wholes(f"Rearrange.{k}", getattr(self, k), least[k]) for k in least}
        settled(self, **held)
        count = len(self.shape)
        if sorted(self.order) != [*range(count)]:
            raise NetworkError(
                f"Rearrange.order must hold each of 0 to {count - 1} once, got {self.order}"
            )
        if sum(self.result) != count:
            raise NetworkError(
                f"Rearrange.result must have the sum {count}, the number of factors,"
                f" got {self.result}"
            )

    @property
    def passes(self) -> Passes:
        return Passes.ANY

    @property
    def ordered(self) -> Shape:
        """The factors in their new order."""
        return tuple(self.shape[axis] for axis in self.order)

    @property
    def positions(self) -> Shape:
        """Positions behind the layer."""
        bounds = pairwise((0, *accumulate(self.result)))
        return tuple(prod(self.ordered[start:stop]) for start, stop in bounds)

    def output_shape(self, input_shape: Shape) -> Shape:
        if prod(input_shape[:-1]) != prod(self.shape):
            raise NetworkError(
                f"Rearrange.shape {self.shape} needs {prod(self.shape)} positions,"
                f" got inputs of shape {input_shape}"
            )
        return (*self.positions, input_shape[-1])

    def forward(self, x: Array) -> Array:
        split = x.reshape(len(x), *self.shape, x.shape[-1])
        return _transposed(split, self.order).reshape(len(x), *self.positions, x.shape[-1])

    def backward(self, x: Array, y: Array, gradient: Array) -> Array:
        split = gradient.reshape(len(x), *self.ordered, x.shape[-1])
        return _transposed(split, tuple(np.argsort(self.order))).reshape(x.shape)


def _transposed(x: Array, order: tuple[int, ...]) -> Array:
    return x.transpose(0, *(axis + 1 for axis in order), x.ndim - 1)
