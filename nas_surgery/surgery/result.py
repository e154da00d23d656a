"""`Surgery`: the result of an operation."""

from collections.abc import Iterable

import attrs

from nas_surgery.network import Network
from nas_surgery.surgery.exactness import Promise


@attrs.frozen(eq=False)
class Surgery:
    """The new network and what was promised about it."""

    network: Network
    promise: Promise


def carry_addresses(old: Network, new: Network, addresses: Iterable[int]) -> tuple[int, ...] | None:
    """Where the addressed layers of `old` stand in `new`, or None if one of them was changed.

    Surgery shares what it leaves alone, so an untouched layer is the same object in both.
    """
    places = {id(layer): address for address, layer in enumerate(new.layers)}
    moved = [places.get(id(old.layers[address])) for address in addresses]
    found = tuple(address for address in moved if address is not None)
    return found if len(found) == len(moved) else None
