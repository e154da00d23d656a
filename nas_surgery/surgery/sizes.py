"""What a network looks like with other numbers of channels, as far as shapes go: no weight is read."""

from collections.abc import Sequence

import numpy as np

from nas_surgery.network import Array, Group, Layer, Network, Outputs, own
from nas_surgery.surgery.narrowing import cut_of, selecting
from nas_surgery.surgery.pieces import spread


def sized(network: Network, sizes: Sequence[tuple[Group, int]]) -> Network:
    """The network with so many channels in each of these groups, and blank arrays where that changes any.

    Blank arrays take no memory until they are read. Of a group that shrinks the first units stay, as large
    a part of each piece in which layers have it.
    """
    left, more = _first_units(network, sizes), _more(network, sizes)
    counts = [int(left[t].sum() + round(float(more[t].sum()))) for t in network.atoms.tensors]
    changes = {}
    for address, layer in enumerate(network.layers):
        before = tuple(counts[source + 1] for source in network.sources[address])
        old = tuple(len(network.atoms.tensors[source + 1]) for source in network.sources[address])
        now = len(network.atoms.tensors[address + 1])
        if (before, counts[address + 1]) != (old, now):
            blank = _blank(layer, before[0], counts[address + 1]) if layer.arrays() else {}
            changed = layer.with_channels(blank, old, before)
            if layer.channels.outputs is Outputs.SELECT:
                changed = selecting(changed, cut_of(network, address, left))
            changes[address] = (changed,)
    return network.replace(changes)


def _first_units(network: Network, sizes: Sequence[tuple[Group, int]]) -> Array:
    """Which channels, by number, stay where their group shrinks."""
    left = np.ones(len(network.atoms.fixed), bool)
    for group, size in sizes:
        channels = network.atoms.tensors[group.writers[0] + 1]
        order = spread(network, group, np.arange(group.size))
        left[channels[order[size:]]] = False
    return left


def _more(network: Network, sizes: Sequence[tuple[Group, int]]) -> Array:
    """How many channels more there are for each, by number, where their group grows."""
    more = np.zeros(len(network.atoms.fixed))
    for group, size in sizes:
        channels = network.atoms.tensors[group.writers[0] + 1]
        more[channels] = max(0, size - group.size) / group.size
    return more


def _blank(layer: Layer, inputs: int, outputs: int) -> dict[str, Array]:
    """The arrays whose sizes change, blank."""
    channels = layer.channels
    lengths = [(place, inputs // layer.blocks) for place in channels.reads]
    lengths += [(place, outputs) for place in (*channels.made, *channels.recurs)]
    shapes = {name: list(array.shape) for name, array in layer.arrays().items()}
    for place, length in lengths:
        if place.array in shapes:
            shapes[place.array][place.axis] = length
    return {
        name: _filled(layer, shape)
        for name, shape in shapes.items()
        if tuple(shape) != layer.arrays()[name].shape
    }


def _filled(layer: Layer, shape: Sequence[int]) -> Array:
    dtype = next(iter(layer.arrays().values())).dtype
    return own(np.full(shape, layer.blank, dtype) if layer.blank else np.zeros(shape, dtype))
