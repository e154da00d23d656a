"""Each position normalised by itself, over its channels."""

from typing import Any, ClassVar

import attrs

from nas_surgery.network.arrays import Array, Shape, frozen_array
from nas_surgery.network.bounded import Bounded, standardised
from nas_surgery.network.layers.base import Layer
from nas_surgery.network.layers.fields import (
    check_channels,
    check_shape,
    fitting,
    optional_array,
    positive,
    settled,
)

LAST = (-1,)


@attrs.frozen(eq=False)
class LayerNorm(Layer):
    """(x - mean) / √(variance + epsilon) over the last axis, times `scale`, plus `offset`: (C,) or None."""

    kind: ClassVar[str] = "layer_norm"
    trainable: ClassVar[tuple[str, ...]] = ("scale", "offset")

    scale: Array | None = attrs.field(converter=optional_array, default=None)
    offset: Array | None = attrs.field(converter=optional_array, default=None)
    epsilon: float = 1e-5

    def __attrs_post_init__(self) -> None:
        settled(self, epsilon=positive("LayerNorm.epsilon", self.epsilon))
        arrays = self.arrays()
        for name, array in arrays.items():
            check_shape(self, name, ("C",))
            check_channels(self, len(array), **arrays)

    def output_shape(self, input_shape: Shape) -> Shape:
        for name, array in self.arrays().items():
            fitting(self, name, len(array), input_shape)
        return input_shape

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
    epsilon: float = 1e-6

    def __attrs_post_init__(self) -> None:
        settled(self, epsilon=positive("RMSNorm.epsilon", self.epsilon))
        check_shape(self, "scale", ("C",))

    def output_shape(self, input_shape: Shape) -> Shape:
        return fitting(self, "scale", len(self.scale), input_shape)

    def forward(self, x: Array) -> Array:
        y: Array = self._normalised(x)
        return y

    def error_behind(self, x: Array, errors: Array, unit: float) -> Array:
        bound: Array = self._normalised(Bounded(x, errors, unit)).error
        return bound

    def _normalised(self, x: Any) -> Any:
        return standardised(x, LAST, self.epsilon, centred=False) * self.scale
