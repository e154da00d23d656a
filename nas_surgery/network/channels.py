"""The words in which a layer says where its channels are; surgery reads these and asks no layer's class.

Channels are the last axis of what passes between layers.
"""

from enum import Enum, IntEnum
from functools import cached_property

import attrs


class Passes(IntEnum):
    """The most general channel map M with layer(h M) = layer(h) M for every h."""

    NOTHING = 0
    SELECTION = 1  # copies and drops channels: every elementwise function
    MONOMIAL = 2  # also rescales them by positive factors: positively homogeneous functions
    ANY = 3


class Outputs(Enum):
    """What the channels of a layer's outputs are."""

    FRESH = "fresh"  # new ones, which its arrays write
    SAME = "same"  # those of its inputs
    TILE = "tile"  # those of its inputs, once for each position
    CONCAT = "concat"  # those of all its inputs, one after the other
    TIE = "tie"  # those of each of its inputs, which are thereby tied to each other
    SELECT = "select"  # those of its inputs that its `indices` name
    ATTEND = "attend"  # those of its last input; the two before it are tied to each other
    FROZEN = "frozen"  # such as surgery must leave alone, before the layer and behind it


@attrs.frozen
class Axis:
    """An axis of one of a layer's arrays, by the name of its field; negative ones count from the end."""

    array: str
    axis: int


@attrs.frozen
class Channels:
    """Where a layer has its channels.

    reads: axes along which arrays weigh the channels of the inputs; writes: those along which they
    make the channels of the outputs; per_channel: those that hold a value for each channel of the
    outputs, and weigh nothing; recurs: those along which arrays weigh the channels that the layer put
    out itself, a step before. An array that may be None counts where it is there.
    """

    outputs: Outputs
    reads: tuple[Axis, ...] = ()
    writes: tuple[Axis, ...] = ()
    per_channel: tuple[Axis, ...] = ()
    recurs: tuple[Axis, ...] = ()

    @cached_property
    def kernel(self) -> tuple[Axis, Axis] | None:
        """Where the array that reads channels does so, and where it writes others."""
        pairs = ((r, w) for r in self.reads for w in self.writes if r.array == w.array)
        return next(pairs, None)

    @cached_property
    def made(self) -> tuple[Axis, ...]:
        """The axes that are as long as the outputs have channels."""
        return (*self.writes, *self.per_channel)


def axis_of(places: tuple[Axis, ...], array: str) -> int | None:
    """The axis of an array that is among the places, or None."""
    return next((place.axis for place in places if place.array == array), None)
