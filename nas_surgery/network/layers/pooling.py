"""One value for each window of positions, or for all of them."""

from typing import ClassVar

import attrs
import numpy as np

from nas_surgery.network.arguments import described
from nas_surgery.network.arrays import Array, Shape
from nas_surgery.network.channels import Channels, Outputs, Passes
from nas_surgery.network.errors import NetworkError
from nas_surgery.network.layers.base import Layer
from nas_surgery.network.layers.fields import flag, given, is_list, per_axis, settled
from nas_surgery.network.layers.windows import Padding, Windows, settle_windows
from nas_surgery.network.roundoff import gamma

MAX_RANK = 3


@attrs.frozen
class MaxPool(Layer):
    """The largest value of each window, channel by channel; padding never counts.

    window: one number for each position axis. strides: as far as the window by default. padding: as
    `Conv` has it, less than the window on each side. dilations: the distance of what a window looks
    at. ceil: the last window may stand over the edge, as long as it begins before it.
    """

    kind: ClassVar[str] = "max_pool"
    channels: ClassVar[Channels] = Channels(Outputs.SAME)

    window: Shape = attrs.field(converter=given)
    strides: Shape = attrs.field(converter=given, default=None)
    padding: Padding = attrs.field(converter=given, default="valid")
    dilations: Shape = attrs.field(converter=given, default=1)
    ceil: bool = False

    def __attrs_post_init__(self) -> None:
        _settle(self)
        _check_padding(self, self.windows)

    @property
    def windows(self) -> Windows:
        return Windows(self.window, self.strides, self.dilations, self.padding, self.ceil)

    @property
    def passes(self) -> Passes:
        return Passes.MONOMIAL

    def output_shape(self, input_shape: Shape) -> Shape:
        positions, windows = input_shape[:-1], self.windows
        counts = windows.check(self, "window", positions)
        axes = zip(positions, windows.dilations, windows.pairs(positions), strict=True)
        if any(step > n and before for n, step, (before, _) in axes):
            raise NetworkError(
                f"MaxPool.dilations {self.dilations} leave windows of nothing but padding in"
                f" inputs of shape {input_shape}"
            )
        return (*counts, input_shape[-1])

    def forward(self, x: Array) -> Array:
        first, *others = self.windows.taps(x, -np.inf)
        y = first.copy()
        for tap in others:
            np.maximum(y, tap, out=y)
        return y

    def error_behind(self, x: Array, errors: Array, unit: float) -> Array:
        largest = self.windows.taps(errors)
        bound = next(largest).copy()
        for tap in largest:
            np.maximum(bound, tap, out=bound)
        return bound

    def describe(self) -> str:
        return f"{super().describe()} {self.windows.describe()}"


@attrs.frozen
class AveragePool(Layer):
    """The mean of each window, channel by channel.

    window, strides, padding, ceil: as `MaxPool` has them. count_padding: whether the zeros of padding
    count; what ceil adds never does.
    """

    kind: ClassVar[str] = "average_pool"
    channels: ClassVar[Channels] = Channels(Outputs.SAME)

    window: Shape = attrs.field(converter=given)
    strides: Shape = attrs.field(converter=given, default=None)
    padding: Padding = attrs.field(converter=given, default="valid")
    ceil: bool = False
    count_padding: bool = False

    def __attrs_post_init__(self) -> None:
        _settle(self)
        _check_padding(self, self.windows)
        settled(self, count_padding=flag("AveragePool.count_padding", self.count_padding))

    @property
    def windows(self) -> Windows:
        ones = (1,) * len(self.window)
        return Windows(self.window, self.strides, ones, self.padding, self.ceil)

    @property
    def passes(self) -> Passes:
        return Passes.ANY

    @property
    def pads(self) -> bool:
        return self.count_padding and self.windows.pads

    def output_shape(self, input_shape: Shape) -> Shape:
        return (*self.windows.check(self, "window", input_shape[:-1]), input_shape[-1])

    def forward(self, x: Array) -> Array:
        total = self._sum(x)
        mean: Array = total / self.counts(x.shape[1:-1]).astype(x.dtype)
        return mean

    def counts(self, positions: Shape) -> Array:
        """How many values each window counts, (*counts, 1), as float64."""
        windows, total = self.windows, np.ones(1)
        axes = zip(
            positions,
            windows.counts(positions),
            windows.strides,
            windows.size,
            windows.pairs(positions),
            strict=True,
        )
        for n, count, step, size, (before, after) in reversed(list(axes)):
            starts = np.arange(count) * step - before
            first, stop = (-before, n + after) if self.count_padding else (0, n)
            counted = np.minimum(starts + size, stop) - np.maximum(starts, first)
            total = counted.reshape(-1, *(1,) * total.ndim) * total
        return total

    def _sum(self, x: Array) -> Array:
        first, *others = self.windows.taps(x)
        total = first.copy()
        for tap in others:
            total += tap
        return total

    def error_behind(self, x: Array, errors: Array, unit: float) -> Array:
        carried, sizes = self.forward(errors), self.forward(np.abs(x) + errors)
        bound: Array = carried + gamma(self.windows.places + 2, unit) * sizes
        return bound

    def describe(self) -> str:
        return f"{super().describe()} {self.windows.describe()}"


class _Global(Layer):
    """All positions as one; there must be some."""

    keep: bool

    def output_shape(self, input_shape: Shape) -> Shape:
        if len(input_shape) < 2:
            raise NetworkError(
                f"{type(self).__name__} needs inputs of positions and channels,"
                f" got inputs of shape {input_shape}"
            )
        kept = (1,) * (len(input_shape) - 1) if self.keep else ()
        return (*kept, input_shape[-1])

    def _axes(self, x: Array) -> tuple[int, ...]:
        return tuple(range(1, x.ndim - 1))


@attrs.frozen
class GlobalAveragePool(_Global):
    """The mean over all positions, channel by channel. keep: with position axes of length 1."""

    kind: ClassVar[str] = "global_average_pool"
    channels: ClassVar[Channels] = Channels(Outputs.SAME)

    keep: bool = False

    def __attrs_post_init__(self) -> None:
        flag("GlobalAveragePool.keep", self.keep)

    @property
    def passes(self) -> Passes:
        return Passes.ANY

    def forward(self, x: Array) -> Array:
        y: Array = x.mean(axis=self._axes(x), keepdims=self.keep)
        return y

    def error_behind(self, x: Array, errors: Array, unit: float) -> Array:
        count = int(np.prod(x.shape[1:-1]))
        bound: Array = self.forward(errors) + gamma(count + 2, unit) * self.forward(
            np.abs(x) + errors
        )
        return bound


@attrs.frozen
class GlobalMaxPool(_Global):
    """The largest value of all positions, channel by channel. keep: with position axes of length 1."""

    kind: ClassVar[str] = "global_max_pool"
    channels: ClassVar[Channels] = Channels(Outputs.SAME)

    keep: bool = False

    def __attrs_post_init__(self) -> None:
        flag("GlobalMaxPool.keep", self.keep)

    @property
    def passes(self) -> Passes:
        return Passes.MONOMIAL

    def forward(self, x: Array) -> Array:
        y: Array = x.max(axis=self._axes(x), keepdims=self.keep)
        return y

    def error_behind(self, x: Array, errors: Array, unit: float) -> Array:
        return self.forward(errors)


def _settle(layer: MaxPool | AveragePool) -> None:
    name = type(layer).__name__
    if not is_list(layer.window) or not 1 <= len(layer.window) <= MAX_RANK:
        raise NetworkError(
            f"{name}.window needs one number for each of 1 to {MAX_RANK} position axes,"
            f" got {described(layer.window)}"
        )
    rank = len(layer.window)
    window = per_axis(f"{name}.window", layer.window, rank)
    settled(layer, window=window, ceil=flag(f"{name}.ceil", layer.ceil))
    if layer.strides is None:
        settled(layer, strides=window)
    settle_windows(layer, rank)


def _check_padding(layer: Layer, windows: Windows) -> None:
    """Each window must see something beside padding."""
    if isinstance(windows.padding, str):
        return
    if any(max(pair) >= reach for pair, reach in zip(windows.padding, windows.reach, strict=True)):
        raise NetworkError(
            f"{type(layer).__name__}.padding must be less than the {windows.reach} positions that"
            f" a window spans, got {windows.padding}"
        )
