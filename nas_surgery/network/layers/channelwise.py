"""Weights that meet each channel by itself."""

from typing import ClassVar

import attrs
import numpy as np

from nas_surgery.network.arrays import Array, Shape, frozen_array
from nas_surgery.network.channels import Axis, Channels, Outputs, Passes
from nas_surgery.network.errors import NetworkError
from nas_surgery.network.layers.base import Layer
from nas_surgery.network.layers.fields import fitting
from nas_surgery.network.roundoff import gamma

SHARED = Channels(Outputs.SAME)


def _check_vector(layer: Layer, field: str, array: Array) -> None:
    if array.ndim != 1 or not array.size:
        raise NetworkError(
            f"{type(layer).__name__}.{field} needs shape (channels,) or (1,), got {array.shape}"
        )


@attrs.frozen(eq=False)
class Scale(Layer):
    """`x · scale`. scale: (C,), one for each channel, or (1,), one for all."""

    kind: ClassVar[str] = "scale"
    trainable: ClassVar[tuple[str, ...]] = ("scale",)

    scale: Array = attrs.field(converter=frozen_array)

    def __attrs_post_init__(self) -> None:
        _check_vector(self, "scale", self.scale)

    @property
    def channels(self) -> Channels:  # type: ignore[override]
        return SHARED if len(self.scale) == 1 else _SCALED

    @property
    def passes(self) -> Passes:
        return Passes.ANY if len(self.scale) == 1 else Passes.MONOMIAL

    def output_shape(self, input_shape: Shape) -> Shape:
        return _per_channel_or_shared(self, "scale", self.scale, input_shape)

    def forward(self, x: Array) -> Array:
        y: Array = x * self.scale
        return y

    def backward(self, x: Array, y: Array, gradient: Array) -> Array:
        back: Array = gradient * self.scale
        return back

    def error_behind(self, x: Array, errors: Array, unit: float) -> Array:
        size = np.abs(self.scale)
        bound: Array = errors * size + gamma(2, unit) * (np.abs(x) + errors) * size
        return bound


@attrs.frozen(eq=False)
class Shift(Layer):
    """`x + offset`. offset: (C,), or (*positions, C) where any of the positions may be 1."""

    kind: ClassVar[str] = "shift"
    trainable: ClassVar[tuple[str, ...]] = ("offset",)
    channels: ClassVar[Channels] = Channels(Outputs.SAME, per_channel=(Axis("offset", -1),))

    offset: Array = attrs.field(converter=frozen_array)

    def __attrs_post_init__(self) -> None:
        if not self.offset.ndim or 0 in self.offset.shape:
            raise NetworkError(
                "Shift.offset needs shape (channels,) or (*positions, channels),"
                f" got {self.offset.shape}"
            )

    @property
    def passes(self) -> Passes:
        return Passes.SELECTION

    def output_shape(self, input_shape: Shape) -> Shape:
        shape = self.offset.shape
        positions = len(shape) == 1 or (
            len(shape) == len(input_shape)
            and all(a in (1, b) for a, b in zip(shape[:-1], input_shape[:-1], strict=True))
        )
        if not positions:
            raise NetworkError(
                f"Shift.offset of shape {shape} does not fit inputs of shape {input_shape}"
            )
        return fitting(self, f"offset {shape}", shape[-1], input_shape)

    def forward(self, x: Array) -> Array:
        y: Array = x + self.offset
        return y

    def backward(self, x: Array, y: Array, gradient: Array) -> Array:
        return gradient

    def error_behind(self, x: Array, errors: Array, unit: float) -> Array:
        bound: Array = errors + gamma(2, unit) * (np.abs(x) + errors + np.abs(self.offset))
        return bound


@attrs.frozen(eq=False)
class PReLU(Layer):
    """`x` above zero, `slope · x` below it. slope: (C,), one for each channel, or (1,), one for all."""

    kind: ClassVar[str] = "prelu"
    trainable: ClassVar[tuple[str, ...]] = ("slope",)

    slope: Array = attrs.field(converter=frozen_array)

    def __attrs_post_init__(self) -> None:
        _check_vector(self, "slope", self.slope)

    @property
    def channels(self) -> Channels:  # type: ignore[override]
        return SHARED if len(self.slope) == 1 else _SLOPED

    @property
    def passes(self) -> Passes:
        return Passes.MONOMIAL

    def output_shape(self, input_shape: Shape) -> Shape:
        return _per_channel_or_shared(self, "slope", self.slope, input_shape)

    def forward(self, x: Array) -> Array:
        return np.where(x > 0, x, x * self.slope)

    def backward(self, x: Array, y: Array, gradient: Array) -> Array:
        return gradient * np.where(x > 0, 1, self.slope)

    def error_behind(self, x: Array, errors: Array, unit: float) -> Array:
        size = np.maximum(1, np.abs(self.slope))
        bound: Array = size * (errors + gamma(2, unit) * (np.abs(x) + errors))
        return bound


_SCALED = Channels(Outputs.SAME, per_channel=(Axis("scale", 0),))
_SLOPED = Channels(Outputs.SAME, per_channel=(Axis("slope", 0),))


def _per_channel_or_shared(layer: Layer, field: str, array: Array, input_shape: Shape) -> Shape:
    channels = len(array) if len(array) > 1 or not input_shape else input_shape[-1]
    return fitting(layer, field, channels, input_shape)
