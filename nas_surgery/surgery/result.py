"""`Surgery`: the result of an operation."""

import attrs

from nas_surgery.network import Network
from nas_surgery.surgery.exactness import Promise


@attrs.frozen(eq=False)
class Surgery:
    """The new network and what was promised about it.

    predicted: the change of the outputs that the operation expects, RMS ÷ RMS of the outputs; None if
    it has no estimate.
    """

    network: Network
    promise: Promise
    predicted: float | None = None

    def noting(self, remark: str) -> "Surgery":
        """The same surgery with a remark behind the reason of its promise."""
        promise = attrs.evolve(self.promise, reason=f"{self.promise.reason}; {remark}")
        return attrs.evolve(self, promise=promise)


def origins(old: Network, new: Network) -> tuple[int | None, ...]:
    """For each layer of `new`, its address in `old`, or None if surgery made or changed it.

    Surgery shares what it leaves alone, so an untouched layer is the same object in both.
    """
    places = {id(layer): address for address, layer in enumerate(old.layers)}
    return tuple(places.get(id(layer)) for layer in new.layers)
