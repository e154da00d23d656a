"""Normalisation of each sample over its positions, by channels or by groups of them."""

from math import prod
from typing import Any, ClassVar

import attrs
import numpy as np

from nas_surgery.network.arrays import Array, Shape
from nas_surgery.network.bounded import Bounded, standardised
from nas_surgery.network.channels import Axis, Channels, Outputs, Passes
from nas_surgery.network.errors import NetworkError
from nas_surgery.network.layers.base import Layer
from nas_surgery.network.layers.fields import (
    check_channels,
    fitting,
    optional_array,
    positive,
    settled,
    whole,
)
from nas_surgery.network.roundoff import gamma


class _Normalizes(Layer):
    """`(x - mean) / √(variance + epsilon) · scale + offset`, what is averaged over being its own."""

    trainable: ClassVar[tuple[str, ...]] = ("scale", "offset")

    scale: Array | None
    offset: Array | None
    epsilon: float

    def __attrs_post_init__(self) -> None:
        held = next(iter(self.arrays().values()), None)
        if held is not None:
            check_channels(self, held.shape[0] if held.ndim else 0, **self.arrays())
        settled(self, epsilon=positive(f"{type(self).__name__}.epsilon", self.epsilon))

    def output_shape(self, input_shape: Shape) -> Shape:
        for field, array in self.arrays().items():
            fitting(self, field, len(array), input_shape)
        return input_shape

    def forward(self, x: Array) -> Array:
        y: Array = self._normalised(x)
        return y

    def error_behind(self, x: Array, errors: Array, unit: float) -> Array:
        bound: Array = self._normalised(Bounded(x, errors, unit)).error
        return bound

    def _normalised(self, x: Any) -> Any:
        blocks = self._blocks(x)
        axes = (1, *range(3, len(blocks.shape)))
        y = standardised(blocks, axes, self.epsilon)
        if isinstance(blocks, Bounded):
            y = attrs.evolve(y, error=y.error + _spread(blocks, axes, self.epsilon))
        y = y.reshape(*x.shape)
        y = y if self.scale is None else y * self.scale
        return y if self.offset is None else y + self.offset

    def _blocks(self, x: Any) -> Any:
        """(N, positions, blocks, ...), normalised over all axes but those of samples and blocks."""
        raise NotImplementedError


def _spread(x: Bounded, axes: tuple[int, ...], epsilon: float) -> Array:
    """What is lost more where runtimes divide inputs and mean apart, before one is taken off the other."""
    sizes = np.abs(x.value) + x.error
    mean = sizes.mean(axes, keepdims=True)
    deviation = np.sqrt(x.value.var(axes, keepdims=True) + epsilon)
    off = np.sqrt(np.square(x.error + x.error.mean(axes, keepdims=True)).mean(axes, keepdims=True))
    lost: Array = gamma(6, x.unit) * (sizes + mean) / np.maximum(deviation - off, np.sqrt(epsilon))
    return lost


@attrs.frozen(eq=False)
class InstanceNorm(_Normalizes):
    """Each channel of each sample over its positions. scale, offset: (C,) or None."""

    kind: ClassVar[str] = "instance_norm"
    channels: ClassVar[Channels] = Channels(
        Outputs.SAME, per_channel=(Axis("scale", 0), Axis("offset", 0))
    )

    scale: Array | None = attrs.field(converter=optional_array, default=None)
    offset: Array | None = attrs.field(converter=optional_array, default=None)
    epsilon: float = 1e-5

    @property
    def passes(self) -> Passes:
        return Passes.SELECTION

    def output_shape(self, input_shape: Shape) -> Shape:
        if len(input_shape) < 2:
            raise NetworkError(
                "InstanceNorm needs inputs of positions and channels,"
                f" got inputs of shape {input_shape}"
            )
        return super().output_shape(input_shape)

    def _blocks(self, x: Any) -> Any:
        return x.reshape(x.shape[0], prod(x.shape[1:-1]), x.shape[-1])


@attrs.frozen(eq=False)
class GroupNorm(_Normalizes):
    """Each group of consecutive channels of each sample, over its positions. scale, offset: (C,) or None."""

    kind: ClassVar[str] = "group_norm"

    groups: int
    scale: Array | None = attrs.field(converter=optional_array, default=None)
    offset: Array | None = attrs.field(converter=optional_array, default=None)
    epsilon: float = 1e-5

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        settled(self, groups=whole("GroupNorm.groups", self.groups))

    def output_shape(self, input_shape: Shape) -> Shape:
        if not input_shape or input_shape[-1] % self.groups:
            raise NetworkError(
                f"GroupNorm.groups {self.groups} does not divide the channels of inputs of shape"
                f" {input_shape}"
            )
        return super().output_shape(input_shape)

    def _blocks(self, x: Any) -> Any:
        positions = prod(x.shape[1:-1])
        return x.reshape(x.shape[0], positions, self.groups, x.shape[-1] // self.groups)

    def describe(self) -> str:
        return f"{super().describe()}, {self.groups} groups"
