"""Channel groups: the channels that some layers write, some read, and that pass through others between.

Width surgery acts on a whole group at once. In a chain each hidden linear layer is one group; a
residual sum would tie several writers and readers into one, which is why both are tuples.
"""

from collections.abc import Sequence
from itertools import pairwise

import attrs

from nas_surgery.network.arrays import Shape
from nas_surgery.network.layers import Dense, Layer


@attrs.frozen
class Reader:
    """A linear layer that reads the group `positions` times side by side (a Flatten tiles it)."""

    address: int
    positions: int = 1


@attrs.frozen
class Group:
    """`size` channels; addresses of the layers that write them, read them, and let them pass."""

    size: int
    writers: tuple[int, ...]
    readers: tuple[Reader, ...]
    passers: tuple[int, ...]


def channel_groups(layers: Sequence[Layer], shapes: Sequence[Shape]) -> tuple[Group, ...]:
    """The groups that surgery may change, in order; the input and the output are not among them.

    shapes: of one sample before every layer, and behind the last.
    """
    linear = [i for i, layer in enumerate(layers) if isinstance(layer, Dense)]
    return tuple(_between(layers, shapes, *pair) for pair in pairwise(linear))


def _between(layers: Sequence[Layer], shapes: Sequence[Shape], writer: int, reader: int) -> Group:
    size = shapes[writer + 1][-1]
    positions = linear_layer(layers[reader]).fan_in // size
    return Group(size, (writer,), (Reader(reader, positions),), tuple(range(writer + 1, reader)))


def linear_layer(layer: Layer) -> Dense:
    """The layer itself, for the type checker, where only a linear one can stand."""
    assert isinstance(layer, Dense), layer
    return layer
