"""Channel groups: the channels that some layers write, some read, and that pass through others between.

Width surgery acts on a whole group at once. In a chain each hidden linear layer is one group; a sum
ties those of several writers, and a concatenation stands between its readers and several groups.
"""

from collections.abc import Sequence

import attrs
import numpy as np

from nas_surgery.network.arrays import Array, Shape
from nas_surgery.network.channels import Channels, Outputs
from nas_surgery.network.layers import Layer


@attrs.frozen
class Reader:
    """A layer that reads the group `positions` times (a Flatten tiles it), or holds values for it.

    starts: where along its channels each of these begins; None where they stand side by side and are
    all that it has. index: (positions, size), where it has each channel, or -1; only where they are
    scattered, and then `starts` is None.
    """

    address: int
    positions: int = 1
    starts: tuple[int, ...] | None = None
    index: Array | None = attrs.field(
        default=None, eq=attrs.cmp_using(eq=np.array_equal), hash=False
    )


@attrs.frozen
class Group:
    """`size` channels; addresses of the layers that write them, read them, and let them pass.

    holders: passers that hold a value for each channel, and where. ends: passers in which the channels
    end without being read, as queries and keys do. cells: for each channel a number, where those of
    each number have to stay as many as those of any other; None where there is one only.
    """

    size: int
    writers: tuple[int, ...]
    readers: tuple[Reader, ...]
    passers: tuple[int, ...]
    holders: tuple[Reader, ...] = ()
    ends: tuple[int, ...] = ()
    cells: tuple[int, ...] | None = None

    @property
    def step(self) -> int:
        """What the number of channels has to be a multiple of."""
        return 1 if self.cells is None else max(self.cells) + 1

    @property
    def rewritten(self) -> frozenset[int]:
        """Addresses of the layers whose arrays change with its size."""
        places = (*self.readers, *self.holders)
        return frozenset((*self.writers, *(place.address for place in places)))

    @property
    def scattered(self) -> bool:
        """Whether some layer has the channels in pieces, so that they can be dropped but not mixed."""
        return any(place.index is not None for place in (*self.readers, *self.holders))


def in_one_line(layers: Sequence[Layer]) -> bool:
    """Whether `chain_groups` knows all layers of a chain."""
    return all(
        layer.blocks == 1 and layer.channels.outputs is not Outputs.SELECT for layer in layers
    )


def chain_groups(layers: Sequence[Layer], shapes: Sequence[Shape]) -> tuple[Group, ...]:
    """What `channel_groups` gives for layers that each read the one before: one walk, ten times as fast."""
    groups: list[Group] = []
    writer, size, positions = None, 0, 1
    holders: list[Reader] = []
    for address, layer in enumerate(layers):
        channels = layer.channels
        if channels.outputs is Outputs.SAME:
            if holds(layer, channels):
                holders.append(Reader(address, positions))
            continue
        if channels.reads and writer is not None:
            passers = tuple(range(writer + 1, address))
            readers = (Reader(address, positions),)
            groups.append(Group(size, (writer,), readers, passers, tuple(holders)))
        if channels.outputs is Outputs.TILE:
            positions *= shapes[address + 1][-1] // shapes[address][-1]
        else:
            writer = address if channels.outputs is Outputs.FRESH else None
            size, positions, holders = shapes[address + 1][-1], 1, []
    return tuple(groups)


def holds(layer: Layer, channels: Channels) -> bool:
    """Whether a layer that makes no channels of its own has arrays with a value for each."""
    return any(getattr(layer, place.array) is not None for place in channels.per_channel)
