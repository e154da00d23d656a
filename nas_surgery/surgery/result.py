"""`Surgery`: the result of an operation."""

import attrs

from nas_surgery.network import Network
from nas_surgery.surgery.exactness import Promise


@attrs.frozen(eq=False)
class Surgery:
    """The new network and what was promised about it."""

    network: Network
    promise: Promise


def origins(old: Network, new: Network) -> tuple[int | None, ...]:
    """For each layer of `new`, its address in `old`, or None if surgery made or changed it.

    Surgery shares what it leaves alone, so an untouched layer is the same object in both.
    """
    places = {id(layer): address for address, layer in enumerate(old.layers)}
    return tuple(places.get(id(layer)) for layer in new.layers)
