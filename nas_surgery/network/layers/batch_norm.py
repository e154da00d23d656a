"""Normalisation by what training measured."""

from collections.abc import Mapping
from numbers import Real
from typing import ClassVar

import attrs
import numpy as np

from nas_surgery.network.arguments import described
from nas_surgery.network.arrays import Array, Shape, frozen_array
from nas_surgery.network.channels import Axis, Channels, Outputs, Passes
from nas_surgery.network.errors import NetworkError
from nas_surgery.network.layers.base import Layer
from nas_surgery.network.layers.fields import (
    check_channels,
    fitting,
    optional_array,
    positive,
    settled,
)
from nas_surgery.network.roundoff import gamma


@attrs.frozen(eq=False)
class BatchNorm(Layer):
    """`(x - mean) / √(variance + epsilon) · scale + offset`, channel by channel.

    mean, variance: (C,), measured while training; scale, offset: (C,), trained, or None. In training
    a batch is normalised by its own mean and *biased* variance, over samples and positions; then
    mean ← (1 - momentum) · mean + momentum · the batch's, and likewise the variance, with the
    *unbiased* one of the batch.
    """

    kind: ClassVar[str] = "batch_norm"
    trainable: ClassVar[tuple[str, ...]] = ("scale", "offset")
    statistics: ClassVar[tuple[str, ...]] = ("mean", "variance")
    neutral: ClassVar[Mapping[str, float]] = {"scale": 1.0, "variance": 1.0}
    channels: ClassVar[Channels] = Channels(
        Outputs.SAME,
        per_channel=tuple(Axis(name, 0) for name in ("scale", "offset", "mean", "variance")),
    )

    mean: Array = attrs.field(converter=frozen_array)
    variance: Array = attrs.field(converter=frozen_array)
    scale: Array | None = attrs.field(converter=optional_array, default=None)
    offset: Array | None = attrs.field(converter=optional_array, default=None)
    epsilon: float = 1e-5
    momentum: float = 0.1

    def __attrs_post_init__(self) -> None:
        if self.mean.ndim != 1 or not self.mean.size:
            raise NetworkError(f"BatchNorm.mean needs shape (channels,), got {self.mean.shape}")
        check_channels(self, len(self.mean), **self.arrays())
        if np.any(self.variance < 0):
            raise NetworkError("BatchNorm.variance must not hold negative values")
        momentum = self.momentum
        if isinstance(momentum, bool) or not isinstance(momentum, Real) or not 0 <= momentum <= 1:
            raise NetworkError(f"BatchNorm.momentum must be in [0, 1], got {described(momentum)}")
        epsilon = positive("BatchNorm.epsilon", self.epsilon)
        settled(self, epsilon=epsilon, momentum=float(momentum))

    @property
    def passes(self) -> Passes:
        return Passes.SELECTION

    def output_shape(self, input_shape: Shape) -> Shape:
        return fitting(self, "mean", len(self.mean), input_shape)

    def factor(self) -> Array:
        """What a channel is multiplied with, (C,), in the dtype of the layer."""
        deviation = np.sqrt(self.variance.astype(np.float64) + self.epsilon)
        factor: Array = ((1 if self.scale is None else self.scale) / deviation).astype(
            self.mean.dtype
        )
        return factor

    def affine(self) -> tuple[Array, Array]:
        factor = (1 if self.scale is None else self.scale.astype(np.float64)) / np.sqrt(
            self.variance.astype(np.float64) + self.epsilon
        )
        moved = -self.mean * factor
        return factor, moved if self.offset is None else moved + self.offset

    def measured(self, x: Array) -> dict[str, Array]:
        rows = x.reshape(-1, x.shape[-1]).astype(np.float64)
        return {"mean": rows.mean(axis=0), "variance": rows.var(axis=0, ddof=min(1, len(rows) - 1))}

    def forward(self, x: Array) -> Array:
        y: Array = (x - self.mean) * self.factor()
        return y if self.offset is None else y + self.offset

    def backward(self, x: Array, y: Array, gradient: Array) -> Array:
        back: Array = gradient * self.factor()
        return back

    def error_behind(self, x: Array, errors: Array, unit: float) -> Array:
        """However it is computed: runtimes multiply first, and add what is left of the mean."""
        factor = np.abs(self.factor())
        total = (np.abs(x) + errors + np.abs(self.mean)) * factor
        if self.offset is not None:
            total = total + np.abs(self.offset)
        bound: Array = errors * factor + gamma(8, unit) * total
        return bound
