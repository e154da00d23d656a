"""What layers between have measured, for units that were not there when they did."""

import numpy as np

from nas_surgery.network import Array, Group, Layer, Network, own
from nas_surgery.surgery.axes import parts_of

SAMPLES = 256


def with_statistics(network: Network, group: Group, count: int, probe: Array) -> Network:
    """The network with statistics of the last `count` units of a group as the probe has them.

    group: as it is in the network, new units and all. Those of other units stay.
    """
    for place in group.holders:
        layer = network.layers[place.address]
        if not layer.statistics:
            continue
        (source,) = network.sources[place.address]
        found = layer.measured(network.forward(probe[:SAMPLES], stop=source + 1))
        fresh = np.zeros(len(next(iter(found.values()))), bool)
        marks = parts_of(np.arange(len(fresh)), place, group.size)[:, -count:]
        fresh[marks.ravel()] = True
        network = network.replace({place.address: (_mixed(layer, found, fresh),)})
    return network


def _mixed(layer: Layer, found: dict[str, Array], fresh: Array) -> Layer:
    arrays = {}
    for name, values in found.items():
        old = layer.arrays()[name]
        arrays[name] = own(np.where(fresh, values, old).astype(old.dtype))
    return layer.resized(**arrays)
