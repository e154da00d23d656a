"""What networks would look like after surgery, as far as sizes go: no weight is read."""

from collections.abc import Mapping, Sequence

import attrs
import numpy as np

from nas_surgery.network import Axis, Group, Layer, Network, fan_in, own
from nas_surgery.strategies.recommender import Limits
from nas_surgery.surgery import exact_activation, insert_identity


def open_groups(network: Network, excluded: Sequence[int]) -> list[Group]:
    """The groups that surgery may change without touching an excluded layer."""
    return [
        group
        for group in network.groups()
        if {*group.writers, *(reader.address for reader in group.readers)}.isdisjoint(excluded)
    ]


def group_of(network: Network, layer: int) -> Group:
    """The group that the layer at this address writes."""
    return next(group for group in network.groups() if layer in group.writers)


def resized(network: Network, units: Mapping[int, int]) -> Network:
    """A network whose layers, by address, have so many units; its weights mean nothing."""
    for layer, count in units.items():
        group = group_of(network, layer)
        if count != group.size:
            network = _with_size(network, group, count)
    return network


def _with_size(network: Network, group: Group, count: int) -> Network:
    """The network with `count` channels in the group; blank arrays take no memory until they are read."""
    layers: dict[int, Layer] = {}
    for address in group.writers:
        layer = network.layers[address]
        layers[address] = _sized(layer, layer.channels.made, count)
    for reader in group.readers:
        layer = layers.get(reader.address, network.layers[reader.address])
        read = fan_in(layer) + reader.positions * (count - group.size)
        layers[reader.address] = _sized(layer, layer.channels.reads, read)
    return network.replace({address: (layer,) for address, layer in layers.items()})


def _sized(layer: Layer, places: Sequence[Axis], size: int) -> Layer:
    """The layer with axes of that size and blank arrays."""
    arrays = {}
    for place in places:
        old = getattr(layer, place.array)
        if old is not None:
            shape = list(old.shape)
            shape[place.axis] = size
            arrays[place.array] = own(np.zeros(shape, old.dtype))
    return attrs.evolve(layer, **arrays)  # type: ignore[misc]


def deepened(network: Network, layer: int, units: int) -> Network:
    """A network with one more hidden layer, of so many units, behind the addressed one."""
    group = group_of(network, layer)
    edited = insert_identity(network, group, exact_activation(network, group)).network
    known = [place.writers[0] for place in network.groups()].index(layer)
    return resized(edited, {edited.groups()[known + 1].writers[0]: units})


def scaled(network: Network, groups: Sequence[Group], factor: float) -> dict[int, int]:
    """Units by address for groups made `factor` times as wide, at least one unit each."""
    return {group.writers[0]: max(1, round(group.size * factor)) for group in groups}


def within(network: Network, limits: Limits) -> bool:
    """Whether a network keeps to the limits on its size."""
    return not limits.excess(network)


def largest_factor(
    network: Network, groups: Sequence[Group], limits: Limits, low: float, high: float
) -> float | None:
    """The largest factor between `low` and `high` that keeps scaled groups within the limits, or None."""
    if within(resized(network, scaled(network, groups, high)), limits):
        return high
    if not within(resized(network, scaled(network, groups, low)), limits):
        return None
    for _ in range(10):
        middle = (low + high) / 2
        fits = within(resized(network, scaled(network, groups, middle)), limits)
        low, high = (middle, high) if fits else (low, middle)
    return low
