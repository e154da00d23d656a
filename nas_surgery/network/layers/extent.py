"""More positions at the edges, or fewer."""

from typing import Any, ClassVar

import attrs
import numpy as np

from nas_surgery.network.arguments import described
from nas_surgery.network.arrays import Array, Shape
from nas_surgery.network.channels import Channels, Outputs, Passes
from nas_surgery.network.errors import NetworkError
from nas_surgery.network.layers.base import Layer
from nas_surgery.network.layers.fields import (
    finite,
    given,
    is_list,
    pairs_per_axis,
    per_axis,
    settled,
    whole,
)
from nas_surgery.network.layers.windows import Pairs

MODES = ("constant", "reflect", "edge")


@attrs.frozen
class Pad(Layer):
    """Positions beside the inputs.

    amounts: (before, after), or one number for both, for each position axis. mode: "constant" (all are
    `value`), "reflect" (as in a mirror on the outermost position, of which there must be more than
    are added), or "edge" (all are as the outermost).
    """

    kind: ClassVar[str] = "pad"
    channels: ClassVar[Channels] = Channels(Outputs.SAME)

    amounts: Pairs = attrs.field(converter=given)
    mode: str = "constant"
    value: float = 0.0

    def __attrs_post_init__(self) -> None:
        rank = _rank("Pad.amounts", self.amounts)
        if self.mode not in MODES:
            raise NetworkError(
                f"Pad.mode must be one of {', '.join(MODES)}, got {described(self.mode)}"
            )
        value = finite("Pad.value", self.value)
        if value and self.mode != "constant":
            raise NetworkError(f'Pad.value is for mode "constant", not {self.mode!r}')
        settled(self, amounts=pairs_per_axis("Pad.amounts", self.amounts, rank), value=value)

    @property
    def passes(self) -> Passes:
        return Passes.SELECTION if self.value else Passes.ANY

    @property
    def pads(self) -> bool:
        return self.mode == "constant" and any(map(any, self.amounts))

    def output_shape(self, input_shape: Shape) -> Shape:
        positions = _positions(self, f"amounts {self.amounts}", len(self.amounts), input_shape)
        sides = zip(positions, self.amounts, strict=True)
        if self.mode == "reflect" and any(max(pair) >= n for n, pair in sides):
            raise NetworkError(
                f"Pad.amounts {self.amounts} are more than a mirror shows of inputs of shape"
                f" {input_shape}"
            )
        added = (n + sum(pair) for n, pair in zip(positions, self.amounts, strict=True))
        return (*added, input_shape[-1])

    def forward(self, x: Array) -> Array:
        return self._padded(x, self.value)

    def error_behind(self, x: Array, errors: Array, unit: float) -> Array:
        bound = self._padded(errors, 0.0)
        return bound + unit * abs(self.value) if self.value else bound

    def describe(self) -> str:
        return f"{super().describe()} {self.mode}"

    def _padded(self, x: Array, value: float) -> Array:
        amounts = [(0, 0), *self.amounts, (0, 0)]
        if self.mode == "constant":
            return np.pad(x, amounts, constant_values=value)
        return np.pad(x, amounts, "reflect" if self.mode == "reflect" else "edge")


@attrs.frozen
class Crop(Layer):
    """Some of the positions: from `starts` on, before `stops`, every `steps`-th.

    stops: one number for each position axis, or None for its end; starts, steps: the same, or one
    number for all.
    """

    kind: ClassVar[str] = "crop"
    channels: ClassVar[Channels] = Channels(Outputs.SAME)

    starts: Shape = attrs.field(converter=given)
    stops: tuple[int | None, ...] = attrs.field(converter=given)
    steps: Shape = attrs.field(converter=given, default=1)

    def __attrs_post_init__(self) -> None:
        rank = _rank("Crop.stops", self.stops)
        settled(
            self,
            starts=per_axis("Crop.starts", self.starts, rank, 0),
            stops=tuple(None if n is None else whole("Crop.stops", n) for n in self.stops),
            steps=per_axis("Crop.steps", self.steps, rank),
        )

    @property
    def passes(self) -> Passes:
        return Passes.ANY

    def output_shape(self, input_shape: Shape) -> Shape:
        positions = _positions(self, f"stops {self.stops}", len(self.stops), input_shape)
        ends = self.ends(positions)
        axes = list(zip(self.starts, ends, self.steps, positions, strict=True))
        if any(start >= end or end > n for start, end, _, n in axes):
            raise NetworkError(
                f"Crop from {self.starts} to {self.stops} is not within inputs of shape"
                f" {input_shape}"
            )
        return (*(-(-(end - start) // step) for start, end, step, _ in axes), input_shape[-1])

    def ends(self, positions: Shape) -> Shape:
        """The stops as numbers."""
        axes = zip(self.stops, positions, strict=True)
        return tuple(n if stop is None else stop for stop, n in axes)

    def forward(self, x: Array) -> Array:
        return x[:, *map(slice, self.starts, self.ends(x.shape[1:-1]), self.steps)]


def _rank(name: str, value: Any) -> int:
    """How many position axes there is an entry for."""
    if not is_list(value) or not len(value):
        raise NetworkError(f"{name} needs an entry for each position axis, got {described(value)}")
    return len(value)


def _positions(layer: Layer, field: str, rank: int, input_shape: Shape) -> Shape:
    if len(input_shape) != rank + 1:
        raise NetworkError(
            f"{type(layer).__name__}.{field} needs inputs of {rank} position axes and channels,"
            f" got inputs of shape {input_shape}"
        )
    return input_shape[:-1]
