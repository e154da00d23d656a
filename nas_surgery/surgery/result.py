"""`Surgery`: the result of an operation."""

from collections.abc import Mapping

import attrs
from scipy import sparse

from nas_surgery.network import Array, Network
from nas_surgery.surgery.exactness import Promise

Matrix = Array | sparse.csr_array | sparse.csc_array


@attrs.frozen(eq=False)
class Carry:
    """How the gradients of a changed layer follow from those of the layer at `origin` before.

    A kernel's gradient G becomes rowsᵀ G columns, at each of `positions`; a bias's g becomes g columns.
    rows: (in, in') or None for no change; columns: (out, out') or None.
    """

    origin: int
    rows: Matrix | None = None
    columns: Matrix | None = None
    positions: int = 1


@attrs.frozen(eq=False)
class Surgery:
    """The new network and what was promised about it.

    predicted: the change of the outputs that the operation expects, RMS ÷ RMS of the outputs; None if
    it has no estimate. carried: by address in the new network, how optimizer state reaches layers that
    were changed and not made anew. before: the surgery that came first, if this is the second of two.
    probe_passes: what it cost, in forward passes of the probe through the network.
    """

    network: Network
    promise: Promise
    predicted: float | None = None
    carried: Mapping[int, Carry] = attrs.Factory(dict)
    before: "Surgery | None" = None
    probe_passes: int = 0

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
