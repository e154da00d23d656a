"""Channels as shares of one."""

from typing import ClassVar

import attrs

from nas_surgery.network.arrays import Array, Shape
from nas_surgery.network.bounded import Bounded, softmax_of
from nas_surgery.network.layers.base import Layer


@attrs.frozen
class Softmax(Layer):
    """eˣ over the sum of all eˣ, along the last axis."""

    kind: ClassVar[str] = "softmax"

    def output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def forward(self, x: Array) -> Array:
        y: Array = softmax_of(x)
        return y

    def backward(self, x: Array, y: Array, gradient: Array) -> Array:
        slope: Array = y * (gradient - (gradient * y).sum(-1, keepdims=True))
        return slope

    def error_behind(self, x: Array, errors: Array, unit: float) -> Array:
        bound: Array = softmax_of(Bounded(x, errors, unit)).error
        return bound
