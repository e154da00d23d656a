"""What a probe batch looks like inside a network: one row per sample and position, in float64."""

import numpy as np

from nas_surgery.network import Array, Group, Network, fan_in


def rows_before(network: Network, address: int, probe: Array, width: int) -> Array:
    """What enters layer `address`, as rows of `width` channels, (N · positions, width).

    Channels are last and a Flatten keeps them inner, so the same reshape serves before and behind it.
    """
    values = network.forward(probe, stop=address)
    return values.reshape(-1, width).astype(np.float64)


def writer_inputs(network: Network, address: int, probe: Array) -> Array:
    """The inputs a of the linear layer at `address`, (rows, in)."""
    return rows_before(network, address, probe, fan_in(network.layers[address]))


def group_activations(network: Network, group: Group, probe: Array) -> Array:
    """The group's channels as its readers see them, (rows, size)."""
    return rows_before(network, group.readers[0].address, probe, group.size)
