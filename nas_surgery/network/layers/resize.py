"""Positions in another number, with values from the nearest or from between."""

from typing import ClassVar

import attrs
import numpy as np

from nas_surgery.network.arguments import described
from nas_surgery.network.arrays import Array, Shape
from nas_surgery.network.channels import Channels, Outputs, Passes
from nas_surgery.network.errors import NetworkError
from nas_surgery.network.layers.base import Layer
from nas_surgery.network.layers.fields import given, is_list, per_axis, settled
from nas_surgery.network.roundoff import gamma

MODES = ("nearest", "linear")
COORDINATES = ("asymmetric", "half_pixel", "align_corners", "pytorch_half_pixel")
ROUNDINGS = ("floor", "round_prefer_floor")
MAX_RANK = 3


@attrs.frozen
class Resize(Layer):
    """`size` positions on each axis, in place of as many as there are.

    mode: "nearest", or "linear" between the two that are nearest on each axis. coordinates: where a
    position of the outputs lies among those of the inputs, as ONNX has it: "half_pixel" (both spans
    are as wide), "asymmetric" (both begin alike), "align_corners" (their outermost positions meet),
    "pytorch_half_pixel" (one output is the first input). rounding: of "nearest".
    """

    kind: ClassVar[str] = "resize"
    channels: ClassVar[Channels] = Channels(Outputs.SAME)

    size: Shape = attrs.field(converter=given)
    mode: str = "nearest"
    coordinates: str = "asymmetric"
    rounding: str = "floor"

    def __attrs_post_init__(self) -> None:
        if not is_list(self.size) or not 1 <= len(self.size) <= MAX_RANK:
            raise NetworkError(
                f"Resize.size needs one number for each of 1 to {MAX_RANK} position axes,"
                f" got {described(self.size)}"
            )
        for field, known in (
            ("mode", MODES),
            ("coordinates", COORDINATES),
            ("rounding", ROUNDINGS),
        ):
            value = getattr(self, field)
            if value not in known:
                raise NetworkError(
                    f"Resize.{field} must be one of {', '.join(known)}, got {described(value)}"
                )
        settled(self, size=per_axis("Resize.size", self.size, len(self.size)))

    @property
    def passes(self) -> Passes:
        return Passes.ANY

    def output_shape(self, input_shape: Shape) -> Shape:
        if len(input_shape) != len(self.size) + 1:
            raise NetworkError(
                f"Resize.size {self.size} needs inputs of {len(self.size)} position axes and"
                f" channels, got inputs of shape {input_shape}"
            )
        return (*self.size, input_shape[-1])

    def places(self, axis: int, positions: int) -> Array:
        """Where each position of the outputs lies among so many of the inputs, (size,), in float64."""
        count = self.size[axis]
        at = np.arange(count, dtype=np.float64)
        if self.coordinates == "asymmetric":
            return at * positions / count
        if self.coordinates == "align_corners":
            return at * (positions - 1) / max(count - 1, 1)
        if self.coordinates == "pytorch_half_pixel" and count == 1:
            return np.zeros(1)
        return (at + 0.5) * positions / count - 0.5

    def nearest(self, axis: int, positions: int) -> Array:
        """Which position of the inputs each of the outputs takes, (size,)."""
        at = self.places(axis, positions)
        rounded = np.floor(at) if self.rounding == "floor" else np.ceil(at - 0.5)
        return np.clip(rounded, 0, positions - 1).astype(np.intp)

    def forward(self, x: Array) -> Array:
        for axis, positions in enumerate(x.shape[1:-1]):
            along = self._nearest if self.mode == "nearest" else self._between
            x = along(x, axis, positions)
        return x

    def error_behind(self, x: Array, errors: Array, unit: float) -> Array:
        carried = self.forward(errors)
        if self.mode == "nearest":
            return carried
        # weights come from places that are counted in float32
        lost = gamma(8 * len(self.size) + 4 * sum(x.shape[1:-1]), unit)
        bound: Array = carried + lost * _largest_near(self, np.abs(x) + errors)
        return bound

    def describe(self) -> str:
        return f"{super().describe()} {self.mode}"

    def _nearest(self, x: Array, axis: int, positions: int) -> Array:
        return x.take(self.nearest(axis, positions), axis=axis + 1)

    def _between(self, x: Array, axis: int, positions: int) -> Array:
        below, above, share = self.neighbours(axis, positions)
        weight = share.astype(x.dtype).reshape(-1, *(1,) * (x.ndim - axis - 2))
        low, high = x.take(below, axis=axis + 1), x.take(above, axis=axis + 1)
        y: Array = low * (1 - weight) + high * weight
        return y

    def neighbours(self, axis: int, positions: int) -> tuple[Array, Array, Array]:
        """The positions below and above each of the outputs, and the share of the one above, (size,)."""
        at = np.clip(self.places(axis, positions), 0, positions - 1)
        below = np.floor(at).astype(np.intp)
        return below, np.minimum(below + 1, positions - 1), at - below


def _largest_near(layer: Resize, sizes: Array) -> Array:
    """The largest of the values that each output lies between, or next to those."""
    for axis, positions in enumerate(sizes.shape[1:-1]):
        below, above, _ = layer.neighbours(axis, positions)
        places = (np.maximum(below - 1, 0), below, above, np.minimum(above + 1, positions - 1))
        sizes = np.max([sizes.take(place, axis=axis + 1) for place in places], axis=0)
    return sizes
