"""What a probe batch looks like inside a network: one row per sample and position, in float64."""

from math import prod

import numpy as np

from nas_surgery.network import Array, Group, Network, Reader, fan_in
from nas_surgery.surgery.axes import parts_of

MOST = 2**25  # numbers that the inputs of a layer may take
ENOUGH = 2**14  # whole numbers that are looked at


def rows_behind(network: Network, address: int, probe: Array, width: int) -> Array:
    """What layer `address` puts out, or the input at -1, as rows of `width` channels, (N · positions, width).

    Channels are last and a Flatten keeps them inner, so the same reshape serves before and behind it.
    """
    values = network.forward(probe, stop=address + 1)
    return values.reshape(-1, width).astype(np.float64)


def writer_inputs(network: Network, address: int, probe: Array) -> Array:
    """The inputs a of the linear layer at `address`, (rows, in · window), as `Layer.rows` has them.

    Where these are many, only some of the samples are looked at.
    """
    (source,) = network.sources[address]
    layer = network.layers[address]
    if not layer.channels.reads:  # whole numbers: their indicators
        numbers = rows_behind(network, source, probe, 1).astype(np.int64).ravel()
        return np.asarray(np.arange(fan_in(layer)) == numbers[:ENOUGH, None], np.float64)
    positions = prod(network.shapes[address + 1][:-1])
    each = positions * fan_in(layer) * prod(layer.window)
    few = probe[:: -(-len(probe) * each // MOST)] if each * len(probe) > MOST else probe
    if not layer.window:
        return rows_behind(network, source, few, fan_in(layer))
    return layer.rows(network.forward(few, stop=source + 1)).astype(np.float64)


def group_activations(network: Network, group: Group, probe: Array) -> Array:
    """The group's channels as its readers see them, (rows, size).

    Where several read it, in several states perhaps, the rows of each state stand below each other.
    """
    places = {network.sources[reader.address]: reader for reader in group.readers}
    states = [_seen(network, source, reader, group, probe) for (source,), reader in places.items()]
    return states[0] if len(states) == 1 else np.concatenate(states)


def _seen(network: Network, source: int, reader: Reader, group: Group, probe: Array) -> Array:
    if reader.starts is None and reader.index is None:
        return rows_behind(network, source, probe, group.size)
    rows = rows_behind(network, source, probe, fan_in(network.layers[reader.address]))
    return np.moveaxis(parts_of(rows.T, reader, group.size), 1, -1).reshape(-1, group.size)
