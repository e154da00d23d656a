"""Convolutions, from one to three position axes."""

from collections.abc import Mapping
from math import prod
from typing import Any, ClassVar

import attrs
import numpy as np

from nas_surgery.network.arrays import Array, Shape, frozen_array, own
from nas_surgery.network.channels import Axis, Channels, Outputs, Passes
from nas_surgery.network.errors import NetworkError
from nas_surgery.network.layers.base import Layer
from nas_surgery.network.layers.fields import (
    check_channels,
    fitting,
    given,
    optional_array,
    settled,
    whole,
    with_affine,
)
from nas_surgery.network.layers.windows import Padding, Windows, settle_windows
from nas_surgery.network.roundoff import gamma

PATCHES = 2**22  # numbers that are laid out side by side at a time
FOLDED = 4  # roundings more, where a runtime folds a BatchNorm or a bias into the kernel

WEIGHS = Channels(
    Outputs.FRESH,
    reads=(Axis("kernel", -2),),
    writes=(Axis("kernel", -1),),
    per_channel=(Axis("bias", 0),),
)
FILTERS = Channels(Outputs.SAME, per_channel=(Axis("kernel", -1), Axis("bias", 0)))


@attrs.frozen(eq=False)
class Conv(Layer):
    """Cross-correlation: each output position is a weighted sum over a window of positions.

    kernel: (*window, in / groups, out), window of one to three axes; bias: (out,) or None. strides,
    dilations: one number, or one for each axis. padding: "valid" (none), "same" (as many outputs as
    inputs, divided by the stride and rounded up; the odd zero stands after), or zeros on both sides:
    one number, or for each axis a number or (before, after). groups: blocks of channels that are
    weighed apart. NetworkError on anything else.
    """

    kind: ClassVar[str] = "conv"
    trainable: ClassVar[tuple[str, ...]] = ("kernel", "bias")

    kernel: Array = attrs.field(converter=frozen_array)
    bias: Array | None = attrs.field(converter=optional_array, default=None)
    strides: Shape = attrs.field(converter=given, default=1)
    dilations: Shape = attrs.field(converter=given, default=1)
    padding: Padding = attrs.field(converter=given, default="valid")
    groups: int = 1

    def __attrs_post_init__(self) -> None:
        if not 3 <= self.kernel.ndim <= 5 or 0 in self.kernel.shape:
            raise NetworkError(
                "Conv.kernel needs shape (window of 1 to 3 axes, in / groups, out),"
                f" got {self.kernel.shape}"
            )
        settle_windows(self, len(self.window))
        settled(self, groups=whole("Conv.groups", self.groups))
        if self.units % self.groups:
            raise NetworkError(
                f"Conv.groups {self.groups} does not divide the {self.units} channels that"
                f" Conv.kernel {self.kernel.shape} makes"
            )
        check_channels(self, self.units, bias=self.bias)

    @property
    def window(self) -> Shape:
        return self.kernel.shape[:-2]

    @property
    def fan_in(self) -> int:
        """How many channels it reads, those of all groups."""
        return int(self.kernel.shape[-2]) * self.groups

    @property
    def units(self) -> int:
        return int(self.kernel.shape[-1])

    @property
    def depthwise(self) -> bool:
        """Whether it filters each channel by itself."""
        return self.groups == self.fan_in == self.units > 1

    @property
    def neutral(self) -> Mapping[str, float]:  # type: ignore[override]
        """Of one that filters: the mean over its window."""
        return {"kernel": 1 / self.windows.places}

    @property
    def windows(self) -> Windows:
        return Windows(self.window, self.strides, self.dilations, self.padding)

    @property
    def channels(self) -> Channels:  # type: ignore[override]
        return FILTERS if self.depthwise else WEIGHS

    @property
    def passes(self) -> Passes:
        if not self.depthwise:
            return Passes.NOTHING
        return Passes.MONOMIAL if self.bias is None else Passes.SELECTION

    @property
    def blocks(self) -> int:
        return 1 if self.depthwise else self.groups

    @property
    def pads(self) -> bool:
        return bool(self.windows.pads)

    def identity(self, shape: Shape, dtype: "np.dtype[Any]") -> "Conv | None":
        if len(shape) - 1 != len(self.window):
            return None
        kernel = np.zeros((*self.window, shape[-1], shape[-1]), dtype)
        kernel[tuple((size - 1) // 2 for size in self.window)] = np.eye(shape[-1])
        return Conv(own(kernel), np.zeros(shape[-1], dtype), padding="same")

    def mixing(self, kernel: Array, bias: Array | None) -> "Conv":
        return Conv(kernel.reshape(*(1 for _ in self.window), *kernel.shape), bias)

    def followed(self, factor: Array, offset: Array) -> Layer:
        return with_affine(self, factor, offset)

    def output_shape(self, input_shape: Shape) -> Shape:
        positions = fitting(self, f"kernel {self.kernel.shape}", self.fan_in, input_shape)[:-1]
        return (*self.windows.check(self, "kernel", positions), self.units)

    def forward(self, x: Array) -> Array:
        y = self._filtered(x) if self.depthwise else self._weighed(x)
        return y if self.bias is None else y + self.bias

    def error_behind(self, x: Array, errors: Array, unit: float) -> Array:
        weights = attrs.evolve(self, kernel=np.abs(self.kernel), bias=None)
        total = weights.forward(np.abs(x) + errors)
        if self.bias is not None:
            total = total + np.abs(self.bias)
        terms = self.kernel.size // self.units
        tiny = float(np.finfo(np.float32).tiny) * terms  # products below it may count as zero
        bound: Array = weights.forward(errors) + gamma(terms + 1 + FOLDED, unit) * total + tiny
        return bound

    def rows(self, x: Array, picks: Array | None = None) -> Array:
        shape = (len(x), *self.windows.counts(x.shape[1:-1]))
        places = np.unravel_index(np.arange(prod(shape)) if picks is None else picks, shape)
        taps = np.stack([tap[places] for tap in self.windows.taps(x)], axis=-1)
        return taps.reshape(len(taps), -1)

    def macs(self, input_shape: Shape) -> int:
        return prod(self.output_shape(input_shape)[:-1]) * self.kernel.size

    def describe(self) -> str:
        parts = [f"{super().describe()} {self.windows.describe()}"]
        if self.groups > 1:
            parts.append("depthwise" if self.depthwise else f"{self.groups} groups")
        return ", ".join(parts)

    def resized(self, **arrays: Array) -> "Conv":
        """A depthwise one stays such, whatever the number of its channels."""
        groups = arrays.get("kernel", self.kernel).shape[-1] if self.depthwise else self.groups
        return attrs.evolve(self, groups=groups, **arrays)

    def _filtered(self, x: Array) -> Array:
        """Each channel by itself."""
        y = np.zeros((len(x), *self.windows.counts(x.shape[1:-1]), self.units), x.dtype)
        weights = self.kernel.reshape(-1, self.units)
        for weight, tap in zip(weights, self.windows.taps(x), strict=True):
            y += weight * tap
        return y

    def _weighed(self, x: Array) -> Array:
        """As products of matrices, of so many samples at a time that the patches stay small."""
        counts = self.windows.counts(x.shape[1:-1])
        y = np.empty((len(x), *counts, self.units), np.result_type(x, self.kernel))
        step = max(1, PATCHES // (prod(counts) * self.windows.places * self.fan_in))
        for first in range(0, len(x), step):
            part = slice(first, first + step)
            y[part] = self._products(x[part], counts)
        return y

    def _products(self, x: Array, counts: Shape) -> Array:
        blocks, inner = self.groups, self.fan_in // self.groups
        terms = self.windows.places * inner
        weights = self.kernel.reshape(terms, blocks, -1).swapaxes(0, 1)
        shape = (blocks, len(x), *counts, self.windows.places, inner)
        patches = np.empty(shape, x.dtype)
        for place, tap in enumerate(self.windows.taps(x)):
            parts = tap.reshape(*tap.shape[:-1], blocks, inner)
            patches[..., place, :] = np.moveaxis(parts, -2, 0)
        with np.errstate(invalid="ignore"):  # some BLAS raise it from what they pad
            made = patches.reshape(blocks, -1, terms) @ weights
        return np.moveaxis(made, 0, 1).reshape(len(x), *counts, self.units)
