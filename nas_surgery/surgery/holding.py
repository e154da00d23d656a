"""What layers hold for each channel beside kernels, when channels are copied, dropped or new."""

import numpy as np

from nas_surgery.network import Array, Layer, Reader, bias_field, own
from nas_surgery.network.channels import Axis, axis_of
from nas_surgery.surgery.axes import parts_of, times, times_front, with_parts
from nas_surgery.surgery.maps import Matrix, WidthMap


def held_values(layer: Layer, place: Reader, change: WidthMap) -> Layer:
    """A layer between writers and readers: its values go where their channels go.

    New channels get neutral ones. Where a copy of a channel is scaled, its values are not.
    """
    kept = support(change.encode)
    arrays, sizes = {}, {}
    for at in present(layer):
        array = getattr(layer, at.array)
        front = np.moveaxis(array.astype(np.float64), at.axis, 0)
        parts = times_front(kept.T, parts_of(front, place, len(kept)))
        parts[:, ~kept.any(axis=0)] = layer.neutral.get(at.array, 0.0)
        moved = with_parts(front, place, len(kept), parts)
        sizes = {"before": (len(front),), "after": (len(moved),)}
        arrays[at.array] = _back(moved, at.axis, array)
    return layer.with_channels(arrays, **sizes)


def own_values(layer: Layer, change: WidthMap) -> dict[str, Array]:
    """What a writer holds beside kernel and bias: U' = D U E for what it weighs of its own outputs."""
    arrays = {}
    beside = [at for at in present(layer) if at.array != bias_field(layer)]
    for at in beside:
        arrays[at.array] = recurring(
            getattr(layer, at.array), layer, at, change.encode, change.decode
        )
    return arrays


def recurring(array: Array, layer: Layer, at: Axis, encode: Matrix, decode: Matrix) -> Array:
    """One of those arrays, or moments shaped as it: mapped where it is made, and where it recurs."""
    wide = np.moveaxis(array.astype(np.float64), at.axis, -1)
    moved = np.moveaxis(times(wide, encode), -1, at.axis)
    axis = axis_of(layer.channels.recurs, at.array)
    if axis is not None:
        moved = np.moveaxis(times_front(decode, np.moveaxis(moved, axis, 0)[None])[0], 0, axis)
    return own(np.ascontiguousarray(moved, array.dtype))


def present(layer: Layer) -> list[Axis]:
    """Where it holds values per channel, of the arrays that it has."""
    return [at for at in layer.channels.per_channel if getattr(layer, at.array) is not None]


def support(encode: Matrix) -> Array:
    """Ones where E copies a channel, whatever it multiplies it by."""
    dense = encode if isinstance(encode, np.ndarray) else encode.toarray()
    return np.asarray(dense != 0, np.float64)


def _back(moved: Array, axis: int, like: Array) -> Array:
    return own(np.ascontiguousarray(np.moveaxis(moved, 0, axis), like.dtype))
