"""Each position normalised by itself, over its channels."""

from typing import Any, ClassVar

import attrs

from nas_surgery.network.arrays import Array, Shape, frozen_array
from nas_surgery.network.bounded import Bounded, standardised
from nas_surgery.network.errors import NetworkError
from nas_surgery.network.layers.base import Layer
from nas_surgery.network.layers.fields import expect_shape, optional_array, plain, positive

LAST = (-1,)


@attrs.frozen(eq=False)
class LayerNorm(Layer):
    """(x - mean) / √(variance + epsilon) over the last axis, times `scale`, plus `offset`: (C,) or None."""

    kind: ClassVar[str] = "layer_norm"
    trainable: ClassVar[tuple[str, ...]] = ("scale", "offset")

    scale: Array | None = attrs.field(converter=optional_array, default=None)
    offset: Array | None = attrs.field(converter=optional_array, default=None)
    epsilon: float = attrs.field(converter=plain, default=1e-5, validator=positive)

    def __attrs_post_init__(self) -> None:
        expect_shape(self, "scale", ("C",))
        size = "C" if self.scale is None else len(self.scale)
        expect_shape(self, "offset", (size,))

    def output_shape(self, input_shape: Shape) -> Shape:
        return _expect_channels(self, input_shape)

    def forward(self, x: Array) -> Array:
        y: Array = self._normalised(x)
        return y

    def error_behind(self, x: Array, errors: Array, unit: float) -> Array:
        bound: Array = self._normalised(Bounded(x, errors, unit)).error
        return bound

    def _normalised(self, x: Any) -> Any:
        y = standardised(x, LAST, self.epsilon)
        y = y if self.scale is None else y * self.scale
        return y if self.offset is None else y + self.offset


@attrs.frozen(eq=False)
class RMSNorm(Layer):
    """x / √(mean of x² + epsilon) over the last axis, times `scale` (C,)."""

    kind: ClassVar[str] = "rms_norm"
    trainable: ClassVar[tuple[str, ...]] = ("scale",)

    scale: Array = attrs.field(converter=frozen_array)
    epsilon: float = attrs.field(converter=plain, default=1e-6, validator=positive)

    def __attrs_post_init__(self) -> None:
        expect_shape(self, "scale", ("C",))

    def output_shape(self, input_shape: Shape) -> Shape:
        return _expect_channels(self, input_shape)

    def forward(self, x: Array) -> Array:
        y: Array = self._normalised(x)
        return y

    def error_behind(self, x: Array, errors: Array, unit: float) -> Array:
        bound: Array = self._normalised(Bounded(x, errors, unit)).error
        return bound

    def _normalised(self, x: Any) -> Any:
        return standardised(x, LAST, self.epsilon, centred=False) * self.scale


def _expect_channels(layer: Layer, shape: Shape) -> Shape:
    """The shape, where each array has a value for each channel of it."""
    for name, array in layer.arrays().items():
        if not shape or shape[-1] != len(array):
            raise NetworkError(
                f"{type(layer).__name__}.{name} {array.shape} needs {len(array)} channels,"
                f" got inputs of shape {shape}"
            )
    return shape
