"""Width surgery: replace the channels h (n) of a group by h' (m), for all its layers at once.

    writer:  W' = W E + R,  b' = b E + r        reader:  V' = D V + S,  c' = c + o V

Cloning, splitting, pruning, SVD projection and new units are each a choice of (E, R, D, S, o). Layers
say where their channels are, and kernels come as (in, ..., out), so the same lines serve all. What a
recurrent layer weighs of its own outputs is read and written: U' = D U E. A layer between that holds a
value for each channel keeps those of the channels that stay, and neutral ones for new units.
"""

import numpy as np

from nas_surgery.errors import OperationError
from nas_surgery.network import (
    Array,
    Group,
    Layer,
    Network,
    Outputs,
    Passes,
    Reader,
    bias_of,
    kernel_of,
    with_weights,
)
from nas_surgery.surgery.axes import parts_of, times, times_front, with_parts
from nas_surgery.surgery.exactness import map_kind, promise_of
from nas_surgery.surgery.holding import held_values, own_values
from nas_surgery.surgery.maps import Fresh, Matrix, WidthMap
from nas_surgery.surgery.result import Carry, Narrowed, Surgery


def change_width(network: Network, group: Group, change: WidthMap) -> Surgery:
    """Apply the map to all writers and readers of the group, in float64, cast once.

    OperationError where a layer can drop channels of the group, but not make or mix them so.
    """
    reason = unmixable(network, group, map_kind(change.old_columns))
    if reason is not None:
        raise OperationError(
            f"the channels of layer {group.writers[0]} cannot be changed like this: {reason}"
        )
    replaced: dict[int, tuple[Layer, ...]] = {}
    for i, address in enumerate(group.writers):
        fresh = change.fresh[i] if change.fresh else None
        replaced[address] = (write(network.layers[address], change, fresh),)
    for place in group.holders:
        replaced[place.address] = (held_values(network.layers[place.address], place, change),)
    for i, reader in enumerate(group.readers):
        added = change.outgoing[i] if change.outgoing else None
        (layer,) = replaced.get(reader.address, (network.layers[reader.address],))
        if added is not None and reader.address in group.writers:
            added = times(added, change.encode)  # its own outputs have changed already
        replaced[reader.address] = (
            read(layer, change.decode, change.offset, reader.positions, added, reader.starts),
        )
    promise = promise_of(network, group, change)
    predicted = 0.0 if promise.exact else None
    return Surgery(network.replace(replaced), promise, predicted, _dual(group, change))


def unmixable(network: Network, group: Group, kind: Passes = Passes.SELECTION) -> str | None:
    """Why channels of the group can be dropped, but not made or mixed, in a few words; None if they can.

    kind: of the map by which they would be mixed; only one that is ANY asks for more than new channels.
    """
    if group.cells is not None:
        return "a layer keeps them in equal blocks"
    if group.scattered:
        return "a layer behind has them in pieces"
    if group.ends:
        return "they are queries and keys"
    picking = (i for i in group.passers if network.layers[i].channels.outputs is Outputs.SELECT)
    if (address := next(picking, None)) is not None:
        return f"layer {address} ({network.layers[address].kind}) picks some of them by number"
    if kind is not Passes.ANY:
        return None
    alone = [i for i in group.writers if network.layers[i].channels.recurs]
    alone += [place.address for place in group.holders]
    if not alone:
        return None
    return f"layer {alone[0]} ({network.layers[alone[0]].kind}) works on each of them by itself"


def _dual(group: Group, change: WidthMap) -> dict[int, Carry | Narrowed]:
    """Dᵀ for the outputs of writers, Eᵀ for the inputs of readers; a layer may be both."""
    carried: dict[int, Carry | Narrowed] = {}
    for place in group.holders:
        carried[place.address] = Carry(
            place.address, None, change.decode.T, place.positions, place.starts
        )
    readers = {reader.address: reader for reader in group.readers}
    for address in {**dict.fromkeys(group.writers), **readers}:
        reader = readers.get(address, Reader(address))
        carried[address] = Carry(
            address,
            change.encode if address in readers else None,
            change.decode.T if address in group.writers else None,
            reader.positions,
            reader.starts,
            change.encode if address in group.writers else None,
        )
    return carried


def write(layer: Layer, change: WidthMap, fresh: Fresh | None = None) -> Layer:
    """The writer with W' = W E + R, b' = b E + r."""
    kernel, old = times(kernel_of(layer).astype(np.float64), change.encode), bias_of(layer)
    bias = None if old is None else times(old.astype(np.float64), change.encode)
    if fresh is not None:
        count = fresh.bias.shape[-1]
        kernel[..., -count:] += fresh.kernel
        if bias is None and fresh.bias.any():
            bias = np.zeros((*fresh.bias.shape[:-1], kernel.shape[-1]))
        if bias is not None:
            bias[..., -count:] += fresh.bias
    return with_weights(layer, kernel, bias, own_values(layer, change))


def read(
    layer: Layer,
    decode: Matrix,
    offset: Array | None,
    positions: int = 1,
    outgoing: Array | None = None,
    starts: tuple[int, ...] | None = None,
) -> Layer:
    """The reader with V' = D V + S, c' = c + o V, wherever it reads the group.

    One whose outputs see different parts of its kernel takes no offset.
    """
    place, (m, n) = Reader(0, positions, starts), decode.shape
    kernel, old = kernel_of(layer).astype(np.float64), bias_of(layer)
    parts = parts_of(kernel, place, n)
    decoded = times_front(decode, parts)
    if outgoing is not None:
        decoded[:, m - outgoing.shape[1] :] += outgoing
    bias = None if old is None else old.astype(np.float64)
    if offset is not None and offset.any() and layer.weighs_rows:
        seen = (0, *range(2, 2 + len(layer.window)))  # positions, and those of the window
        shift = np.tensordot(offset, parts.sum(axis=seen), axes=1)
        bias = shift if bias is None else bias + shift
    return with_weights(layer, with_parts(kernel, place, n, decoded), bias)
