"""`Surgery`: the result of an operation."""

from collections.abc import Mapping
from numbers import Real
from typing import Any

import attrs

from nas_surgery.network import Array, Network, Reader
from nas_surgery.surgery.maps import Matrix
from nas_surgery.surgery.promise import Promise
from nas_surgery.validators import a, whole


@attrs.frozen(eq=False)
class Carry:
    """How the gradients of a changed layer follow from those of the layer at `origin` before.

    A kernel's gradient G becomes rowsᵀ G columns, wherever the layer reads the group; that of what holds
    one value per channel, such as a bias, becomes g columns.
    rows: (in, in') or None for no change; columns: (out, out') or None; positions, starts: where the
    rows stand, or what a layer holds per channel, as a Reader has it. recurs: (out, out'), for what it
    weighs of its own outputs.
    """

    origin: int
    rows: Matrix | None = None
    columns: Matrix | None = None
    positions: int = 1
    starts: tuple[int, ...] | None = None
    recurs: Matrix | None = None

    @property
    def reader(self) -> Reader:
        """Where the layer reads what was changed."""
        return Reader(self.origin, self.positions, self.starts)


def _number(value: Any) -> float | None:
    if value is not None and (not isinstance(value, Real) or isinstance(value, bool)):
        raise TypeError(f"predicted must be a number or None, got {value!r}")
    return None if value is None else float(value)


def _carries(_: Any, attribute: Any, value: Any) -> None:
    good = isinstance(value, Mapping) and all(
        isinstance(each, Carry | Narrowed) for each in value.values()
    )
    if not good:
        raise TypeError(f"{attribute.name} must hold Carries by address, got {value!r}")


@attrs.frozen(eq=False)
class Narrowed:
    """Which channels stay of those that the layer at `origin` reads, from each of its sources, and of
    those that it puts out: masks (channels,)."""

    origin: int
    inputs: tuple[Array, ...]
    outputs: Array

    @property
    def whole(self) -> bool:
        """Whether all of them stay."""
        return bool(self.outputs.all()) and all(bool(kept.all()) for kept in self.inputs)


@attrs.frozen(eq=False)
class Surgery:
    """The new network and what was promised about it.

    predicted: the change of the outputs that the operation expects, RMS ÷ RMS of the outputs; None if
    it has no estimate. carried: by address in the new network, how optimizer state reaches layers that
    were changed and not made anew. before: the surgery that came first, if this is the second of two.
    probe_passes: what it cost, in forward passes of the probe through the network. TypeError or
    ValueError for what is none of that.
    """

    network: Network = attrs.field(validator=a(Network))
    promise: Promise = attrs.field(validator=a(Promise))
    predicted: float | None = attrs.field(default=None, converter=_number)
    carried: Mapping[int, Carry | Narrowed] = attrs.field(factory=dict, validator=_carries)
    before: "Surgery | None" = None
    probe_passes: int = attrs.field(default=0, validator=whole(0))

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
