"""Windows over positions: how many there are, what padding they need, and what stands in them."""

from collections.abc import Iterator
from math import prod
from typing import Any

import attrs
import numpy as np

from nas_surgery.network.arguments import described
from nas_surgery.network.arrays import Array, Shape
from nas_surgery.network.errors import NetworkError
from nas_surgery.network.layers.fields import is_list, pairs_per_axis, per_axis, settled

Pairs = tuple[tuple[int, int], ...]
Padding = str | Pairs  # "same", or what stands before and after on each axis


def as_padding(name: str, value: Any, rank: int) -> Padding:
    """ "same", or pairs from "valid" (none), a number, or an entry for each axis."""
    if isinstance(value, str):
        if value not in ("same", "valid"):
            raise NetworkError(f'{name} must be "valid", "same" or numbers, got {described(value)}')
        return "same" if value == "same" else ((0, 0),) * rank
    if value is None or (is_list(value) and not len(value)):
        raise NetworkError(f'{name} must be "valid", "same" or numbers, got {described(value)}')
    return pairs_per_axis(name, value, rank)


def settle_windows(layer: Any, rank: int) -> None:
    """Give a layer that is being made strides, dilations and padding with an entry for each axis, as it has them."""
    name = type(layer).__name__
    for field in ("strides", "dilations"):
        if hasattr(layer, field):
            held = per_axis(f"{name}.{field}", getattr(layer, field), rank)
            settled(layer, **{field: held})
    settled(layer, padding=as_padding(f"{name}.padding", layer.padding, rank))


@attrs.frozen
class Windows:
    """Windows of one size at even distances, each field with an entry for each position axis.

    ceil: whether the last one may stand over the edge, as long as it begins before it.
    """

    size: Shape
    strides: Shape
    dilations: Shape
    padding: Padding
    ceil: bool = False

    @property
    def reach(self) -> Shape:
        """How many positions a window spans."""
        return tuple(d * (k - 1) + 1 for k, d in zip(self.size, self.dilations, strict=True))

    def counts(self, positions: Shape) -> Shape:
        """How many windows there are along each axis; 0 or less where none fits."""
        if self.padding == "same":
            return tuple(-(-n // s) for n, s in zip(positions, self.strides, strict=True))
        axes = zip(positions, self.reach, self.strides, self.pairs(positions), strict=True)
        return tuple(self._count(n, reach, step, *pair) for n, reach, step, pair in axes)

    def pairs(self, positions: Shape) -> Pairs:
        """The padding before and after on each axis; of "same", the odd one stands after."""
        if not isinstance(self.padding, str):
            return self.padding
        axes = zip(positions, self.reach, self.strides, strict=True)
        missing = [max((-(-n // s) - 1) * s + reach - n, 0) for n, reach, s in axes]
        return tuple((m // 2, m - m // 2) for m in missing)

    def check(self, layer: object, field: str, positions: Shape) -> Shape:
        """`counts`; NetworkError where no window fits into the inputs."""
        name = f"{type(layer).__name__}.{field}"
        if len(positions) != len(self.size):
            raise NetworkError(
                f"{name} {self.size} needs inputs of {len(self.size)} position axes and channels,"
                f" got {len(positions)} position axes"
            )
        counts = self.counts(positions)
        if min(counts) < 1:
            raise NetworkError(
                f"{name} {self.size} spans {self.reach} positions,"
                f" more than inputs with padding have: {positions}"
            )
        return counts

    def taps(self, x: Array, fill: float = 0.0) -> Iterator[Array]:
        """What stands at each place of the windows, (N, *counts, C), in the order of those places.

        x: (N, *positions, C). fill: what the padding holds.
        """
        positions = x.shape[1:-1]
        counts = self.counts(positions)
        padded = self.padded(x, fill)
        for place in np.ndindex(*self.size):
            starts = [d * i for d, i in zip(self.dilations, place, strict=True)]
            axes = zip(starts, counts, self.strides, strict=True)
            yield padded[:, *(slice(a, a + (n - 1) * s + 1, s) for a, n, s in axes)]

    def padded(self, x: Array, fill: float) -> Array:
        """The inputs with all that windows stand on beside them; shared where that is nothing."""
        positions = x.shape[1:-1]
        axes = zip(
            positions,
            self.counts(positions),
            self.strides,
            self.reach,
            self.pairs(positions),
            strict=True,
        )
        # the last window may stand over the edge, or leave a rest
        sides = [(b, max((m - 1) * s + reach - n - b, 0)) for n, m, s, reach, (b, _) in axes]
        if not any(map(any, sides)):
            return x
        return np.pad(x, [(0, 0), *sides, (0, 0)], constant_values=fill)

    @property
    def pads(self) -> bool:
        """Whether anything may stand beside the inputs."""
        if isinstance(self.padding, str):
            return max(self.reach) > 1
        return any(map(any, self.padding))

    @property
    def places(self) -> int:
        return prod(self.size)

    def _count(self, n: int, reach: int, step: int, before: int, after: int) -> int:
        room = n + before + after - reach
        if not self.ceil or room < 0:
            return room // step + 1
        count = -(-room // step) + 1
        return count - ((count - 1) * step >= n + before)

    def describe(self) -> str:
        """Such as "3×3" or "3×3, stride 2"."""
        words = ["×".join(map(str, self.size))]
        if set(self.strides) != {1}:
            steps = self.strides[:1] if len(set(self.strides)) == 1 else self.strides
            words.append(f"stride {'×'.join(map(str, steps))}")
        return ", ".join(words)
