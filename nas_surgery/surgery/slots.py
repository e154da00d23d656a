"""Optimizer state across surgery.

If W' = W E and V' = D V, the chain rule gives the writer's new gradient as the old one times Dᵀ and
the reader's as Eᵀ times the old one. So running means of gradients go by the dual map (Dᵀ, Eᵀ), and
those of squared gradients by the squares of its coefficients. New units start at zero.
"""

from collections.abc import Mapping

import numpy as np
from scipy import sparse

from nas_surgery.network import Array, Layer, Network, Outputs, Reader, own
from nas_surgery.network.channels import axis_of
from nas_surgery.network.network import array_name
from nas_surgery.surgery.axes import parts_of, times, times_front, with_parts
from nas_surgery.surgery.maps import Matrix
from nas_surgery.surgery.narrowing import narrowed_moments
from nas_surgery.surgery.result import Carry, Narrowed, Surgery, origins

SQUARED = frozenset({"second_moment"})  # slots that hold means of squares

SlotValues = Mapping[str, Mapping[str, Array]]


def carry_slots(values: SlotValues, old: Network, surgery: Surgery) -> dict[str, dict[str, Array]]:
    """The arrays that an optimizer keeps, `values[slot][parameter]`, for the edited network.

    Layers that surgery left alone keep theirs at their new addresses; those whose width changed get
    them by the dual map; those made anew, merged or factored start at zero.
    """
    if surgery.before is not None:
        values, old = carry_slots(values, old, surgery.before), surgery.before.network
    carried: dict[int, Carry | Narrowed] = {
        address: Carry(place) for address, place in _untouched(old, surgery.network)
    }
    carried.update(surgery.carried)
    return {
        slot: _carry_one(held, old, surgery.network, carried, slot in SQUARED)
        for slot, held in values.items()
    }


def _untouched(old: Network, new: Network) -> list[tuple[int, int]]:
    places = enumerate(origins(old, new))
    return [(address, place) for address, place in places if place is not None]


def _carry_one(
    held: Mapping[str, Array],
    old: Network,
    network: Network,
    carried: Mapping[int, Carry | Narrowed],
    squared: bool,
) -> dict[str, Array]:
    moved = {}
    for address, layer in enumerate(network.layers):
        carry = carried.get(address)
        fields = {} if carry is None else _held_by(held, old, carry.origin)
        after = _layer_moments(carry, layer, fields, old, squared)
        for field, array in layer.parameters().items():
            found = after.get(field)
            moved[array_name(address, field)] = (
                own(np.zeros_like(array)) if found is None else found
            )
    return moved


def _held_by(held: Mapping[str, Array], old: Network, origin: int) -> dict[str, Array]:
    names = {field: array_name(origin, field) for field in old.layers[origin].parameters()}
    return {field: held[name] for field, name in names.items() if name in held}


def _layer_moments(
    carry: Carry | Narrowed | None,
    layer: Layer,
    fields: Mapping[str, Array],
    old: Network,
    squared: bool,
) -> Mapping[str, Array]:
    """The moments of a layer by field, from those of the layer that it was."""
    if isinstance(carry, Narrowed):
        return narrowed_moments(fields, old.layers[carry.origin], carry)
    if carry is None or (carry.rows is None and carry.columns is None):
        return fields
    return {
        field: own(
            np.ascontiguousarray(_mapped(carry, layer, field, moment, squared), moment.dtype)
        )
        for field, moment in fields.items()
    }


def _mapped(carry: Carry, layer: Layer, field: str, moment: Array, squared: bool) -> Array:
    """The moment of one of a layer's arrays, along the axes where its channels changed."""
    moment, channels = moment.astype(np.float64), layer.channels
    written, read = axis_of(channels.made, field), axis_of(channels.reads, field)
    if carry.columns is not None and written is not None:
        columns = _coefficients(carry.columns, squared)
        if channels.outputs is Outputs.FRESH:
            moment = np.moveaxis(times(np.moveaxis(moment, written, -1), columns), -1, written)
        else:
            moment = _through(moment, written, carry.reader, columns)
    if carry.rows is not None and read is not None:
        moment = _through(moment, read, carry.reader, _coefficients(carry.rows, squared))
    recurs = axis_of(channels.recurs, field)
    if carry.recurs is not None and recurs is not None:
        moment = _through(moment, recurs, Reader(0), _coefficients(carry.recurs, squared))
    return moment


def _through(moment: Array, axis: int, place: Reader, matrix: Matrix) -> Array:
    """The moment with matrixᵀ applied where the group stands along an axis."""
    front, size = np.moveaxis(moment, axis, 0), matrix.shape[0]
    parts = times_front(matrix.T, parts_of(front, place, size))
    return np.moveaxis(with_parts(front, place, size, parts), 0, axis)


def _coefficients(matrix: Matrix, squared: bool) -> Matrix:
    if not squared:
        return matrix
    return matrix.multiply(matrix).tocsr() if sparse.issparse(matrix) else matrix * matrix
