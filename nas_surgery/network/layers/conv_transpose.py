"""Convolutions that enlarge."""

from math import prod
from typing import ClassVar

import attrs
import numpy as np

from nas_surgery.network.arrays import Array, Shape, frozen_array
from nas_surgery.network.channels import Channels
from nas_surgery.network.errors import NetworkError
from nas_surgery.network.layers.base import Layer
from nas_surgery.network.layers.conv import WEIGHS
from nas_surgery.network.layers.fields import (
    check_channels,
    fitting,
    given,
    optional_array,
    per_axis,
    settled,
    with_affine,
)
from nas_surgery.network.layers.windows import Pairs, Windows, settle_windows
from nas_surgery.network.roundoff import gamma


@attrs.frozen(eq=False)
class ConvTranspose(Layer):
    """Each input position adds its window to the outputs, `strides` apart: (n - 1) · s + d · (k - 1) + 1 of them.

    kernel: (*window, in, out), window of one to three axes; bias: (out,) or None. padding: how many
    outputs are cut off before and after: one number, or for each axis a number or (before, after).
    output_padding: how many more there are at the end, less than a stride or a dilation.
    """

    kind: ClassVar[str] = "conv_transpose"
    trainable: ClassVar[tuple[str, ...]] = ("kernel", "bias")
    weighs_rows: ClassVar[bool] = False
    channels: ClassVar[Channels] = WEIGHS

    kernel: Array = attrs.field(converter=frozen_array)
    bias: Array | None = attrs.field(converter=optional_array, default=None)
    strides: Shape = attrs.field(converter=given, default=1)
    dilations: Shape = attrs.field(converter=given, default=1)
    padding: Pairs = attrs.field(converter=given, default="valid")
    output_padding: Shape = attrs.field(converter=given, default=0)

    def __attrs_post_init__(self) -> None:
        if not 3 <= self.kernel.ndim <= 5 or 0 in self.kernel.shape:
            raise NetworkError(
                "ConvTranspose.kernel needs shape (window of 1 to 3 axes, in, out),"
                f" got {self.kernel.shape}"
            )
        if isinstance(self.padding, str) and self.padding == "same":
            raise NetworkError('ConvTranspose.padding must be "valid" or numbers, got "same"')
        rank = self.kernel.ndim - 2
        settle_windows(self, rank)
        more = per_axis("ConvTranspose.output_padding", self.output_padding, rank, 0)
        steps = zip(more, self.strides, self.dilations, strict=True)
        if any(m >= max(s, d) for m, s, d in steps):
            raise NetworkError(
                "ConvTranspose.output_padding must be less than strides or dilations, got"
                f" {more} for strides {self.strides} and dilations {self.dilations}"
            )
        settled(self, output_padding=more)
        check_channels(self, self.units, bias=self.bias)

    @property
    def units(self) -> int:
        return int(self.kernel.shape[-1])

    @property
    def windows(self) -> Windows:
        return Windows(self.kernel.shape[:-2], self.strides, self.dilations, self.padding)

    @property
    def pads(self) -> bool:
        """A constant reaches the edges, and what lies between strides, by fewer weights."""
        plain = {*self.windows.size, *self.strides} == {1}
        return not plain or any(self.output_padding)

    def followed(self, factor: Array, offset: Array) -> Layer:
        return with_affine(self, factor, offset)

    def output_shape(self, input_shape: Shape) -> Shape:
        fan_in = int(self.kernel.shape[-2])
        positions = fitting(self, f"kernel {self.kernel.shape}", fan_in, input_shape)[:-1]
        if len(positions) != self.kernel.ndim - 2:
            raise NetworkError(
                f"ConvTranspose.kernel {self.kernel.shape} needs inputs of {self.kernel.ndim - 2}"
                f" position axes and channels, got inputs of shape {input_shape}"
            )
        sizes = self._sizes(positions)
        made = tuple(n - sum(pair) for n, pair in zip(sizes, self.padding, strict=True))
        if min(made) < 1:
            raise NetworkError(
                f"ConvTranspose.padding {self.padding} leaves nothing of {sizes} positions"
            )
        return (*made, self.units)

    def forward(self, x: Array) -> Array:
        sizes = self._sizes(x.shape[1:-1])
        y = np.zeros((len(x), *sizes, self.units), np.result_type(x, self.kernel))
        for place in np.ndindex(*self.windows.size):
            starts = [d * i for d, i in zip(self.dilations, place, strict=True)]
            axes = zip(starts, x.shape[1:-1], self.strides, strict=True)
            with np.errstate(invalid="ignore"):  # some BLAS raise it from what they pad
                y[:, *(slice(a, a + (n - 1) * s + 1, s) for a, n, s in axes)] += (
                    x @ self.kernel[place]
                )
        kept = y[:, *(slice(b, n - a) for n, (b, a) in zip(sizes, self.padding, strict=True))]
        return kept.copy() if self.bias is None else kept + self.bias

    def error_behind(self, x: Array, errors: Array, unit: float) -> Array:
        weights = attrs.evolve(self, kernel=np.abs(self.kernel), bias=None)
        total = weights.forward(np.abs(x) + errors)
        if self.bias is not None:
            total = total + np.abs(self.bias)
        terms = self.kernel.size // self.units
        tiny = float(np.finfo(np.float32).tiny) * terms  # products below it may count as zero
        bound: Array = weights.forward(errors) + gamma(terms + 4, unit) * total + tiny
        return bound

    def macs(self, input_shape: Shape) -> int:
        return prod(input_shape[:-1]) * self.kernel.size

    def describe(self) -> str:
        return f"{super().describe()} {self.windows.describe()}"

    def _sizes(self, positions: Shape) -> Shape:
        """The positions of the outputs before anything is cut off."""
        axes = zip(positions, self.strides, self.windows.reach, self.output_padding, strict=True)
        return tuple((n - 1) * s + reach + more for n, s, reach, more in axes)
