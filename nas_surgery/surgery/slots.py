"""Optimizer state across surgery.

If W' = W E and V' = D V, the chain rule gives the writer's new gradient as the old one times Dᵀ and
the reader's as Eᵀ times the old one. So running means of gradients go by the dual map (Dᵀ, Eᵀ), and
those of squared gradients by the squares of its coefficients. New units start at zero.
"""

from collections.abc import Mapping

import numpy as np
from scipy import sparse

from nas_surgery.network import Array, Channels, Network, own
from nas_surgery.network.channels import axis_of
from nas_surgery.network.network import array_name
from nas_surgery.surgery.axes import parts_of, times, times_front, with_parts
from nas_surgery.surgery.maps import Matrix
from nas_surgery.surgery.result import Carry, Surgery, origins

SQUARED = frozenset({"second_moment"})  # slots that hold means of squares

SlotValues = Mapping[str, Mapping[str, Array]]


def carry_slots(values: SlotValues, old: Network, surgery: Surgery) -> dict[str, dict[str, Array]]:
    """The arrays that an optimizer keeps, `values[slot][parameter]`, for the edited network.

    Layers that surgery left alone keep theirs at their new addresses; those whose width changed get
    them by the dual map; those made anew, merged or factored start at zero.
    """
    if surgery.before is not None:
        values, old = carry_slots(values, old, surgery.before), surgery.before.network
    carried = {address: Carry(place) for address, place in _untouched(old, surgery.network)}
    carried.update(surgery.carried)
    return {
        slot: _carry_one(held, surgery.network, carried, slot in SQUARED)
        for slot, held in values.items()
    }


def _untouched(old: Network, new: Network) -> list[tuple[int, int]]:
    places = enumerate(origins(old, new))
    return [(address, place) for address, place in places if place is not None]


def _carry_one(
    held: Mapping[str, Array], network: Network, carried: Mapping[int, Carry], squared: bool
) -> dict[str, Array]:
    moved = {}
    for address, layer in enumerate(network.layers):
        carry = carried.get(address)
        for field, array in layer.parameters().items():
            before = None if carry is None else held.get(array_name(carry.origin, field))
            name = array_name(address, field)
            if carry is None or before is None:
                moved[name] = own(np.zeros_like(array))
            elif carry.rows is None and carry.columns is None:
                moved[name] = before
            else:
                wide = before.astype(np.float64)
                after = _mapped(carry, layer.channels, field, wide, squared)
                moved[name] = own(np.ascontiguousarray(after, array.dtype))
    return moved


def _mapped(carry: Carry, channels: Channels, field: str, moment: Array, squared: bool) -> Array:
    """The moment of one of a layer's arrays, along the axes where its channels changed."""
    written, read = axis_of(channels.made, field), axis_of(channels.reads, field)
    if carry.columns is not None and written is not None:
        columns = _coefficients(carry.columns, squared)
        moment = np.moveaxis(times(np.moveaxis(moment, written, -1), columns), -1, written)
    if carry.rows is not None and read is not None:
        rows, front = _coefficients(carry.rows, squared), np.moveaxis(moment, read, 0)
        place, size = carry.reader, rows.shape[0]
        parts = times_front(rows.T, parts_of(front, place, size))
        moment = np.moveaxis(with_parts(front, place, size, parts), 0, read)
    return moment


def _coefficients(matrix: Matrix, squared: bool) -> Matrix:
    if not squared:
        return matrix
    return matrix.multiply(matrix).tocsr() if sparse.issparse(matrix) else matrix * matrix
