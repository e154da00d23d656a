"""What networks would look like after surgery, as far as sizes go: no weight is read."""

from collections.abc import Mapping, Sequence

from nas_surgery.errors import OperationError
from nas_surgery.network import Group, Network
from nas_surgery.operations import AddLayer
from nas_surgery.strategies.recommender import Limits
from nas_surgery.surgery import sized, unmixable
from nas_surgery.surgery.pieces import fewest


def open_groups(network: Network, excluded: Sequence[int]) -> list[Group]:
    """The groups that surgery may change without touching an excluded layer."""
    return [group for group in network.groups() if group.rewritten.isdisjoint(excluded)]


def growing_groups(network: Network, excluded: Sequence[int]) -> list[Group]:
    """Those of them that may have more units."""
    return [g for g in open_groups(network, excluded) if unmixable(network, g) is None]


def group_of(network: Network, layer: int) -> Group:
    """The group that the layer at this address writes."""
    return next(group for group in network.groups() if layer in group.writers)


def resized(network: Network, units: Mapping[int, int]) -> Network:
    """A network whose layers, by address, have so many units; its weights mean nothing."""
    sizes = [(group_of(network, layer), count) for layer, count in units.items()]
    return sized(network, [(group, count) for group, count in sizes if count != group.size])


def deepened(network: Network, layer: int, units: int) -> Network | None:
    """A network with one more hidden layer, and so many new units, behind the addressed one; None where no
    layer there can have them."""
    try:
        return AddLayer(layer, units=units).grown(network)
    except OperationError:
        return None


def scaled(network: Network, groups: Sequence[Group], factor: float) -> dict[int, int]:
    """Units by address for groups made `factor` times as wide, with something of each of their pieces."""
    return {
        g.writers[0]: max(fewest(network, g), g.step * round(g.size * factor / g.step))
        for g in groups
    }


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
