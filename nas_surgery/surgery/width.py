"""Width surgery: replace the channels h (n) of a group by h' (m), for all its layers at once.

    writer:  W' = W E + R,  b' = b E + r        reader:  V' = D V + S,  c' = c + o V

Cloning, splitting, pruning, SVD projection and new units are each a choice of (E, R, D, S, o). Layers
say where their channels are, and kernels come as (in, ..., out), so the same lines serve all.
"""

import numpy as np

from nas_surgery.network import (
    Array,
    Group,
    Layer,
    Network,
    Reader,
    bias_of,
    kernel_of,
    with_weights,
)
from nas_surgery.surgery.axes import parts_of, times, times_front, with_parts
from nas_surgery.surgery.exactness import promise_of
from nas_surgery.surgery.maps import Fresh, Matrix, WidthMap
from nas_surgery.surgery.result import Carry, Surgery


def change_width(network: Network, group: Group, change: WidthMap) -> Surgery:
    """Apply the map to all writers and readers of the group, in float64, cast once."""
    replaced: dict[int, tuple[Layer, ...]] = {}
    for i, address in enumerate(group.writers):
        fresh = change.fresh[i] if change.fresh else None
        replaced[address] = (write(network.layers[address], change.encode, fresh),)
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


def _dual(group: Group, change: WidthMap) -> dict[int, Carry]:
    """Dᵀ for the outputs of writers, Eᵀ for the inputs of readers; a layer may be both."""
    carried = {address: Carry(address, None, change.decode.T) for address in group.writers}
    for reader in group.readers:
        columns = carried[reader.address].columns if reader.address in carried else None
        carried[reader.address] = Carry(
            reader.address, change.encode, columns, reader.positions, reader.starts
        )
    return carried


def write(layer: Layer, encode: Matrix, fresh: Fresh | None = None) -> Layer:
    """The writer with W' = W E + R, b' = b E + r."""
    kernel, old = times(kernel_of(layer).astype(np.float64), encode), bias_of(layer)
    bias = None if old is None else old.astype(np.float64) @ encode
    if fresh is not None:
        count = fresh.bias.size
        kernel[..., -count:] += fresh.kernel
        if bias is None and fresh.bias.any():
            bias = np.zeros(kernel.shape[-1])
        if bias is not None:
            bias[-count:] += fresh.bias
    return with_weights(layer, kernel, bias)


def read(
    layer: Layer,
    decode: Matrix,
    offset: Array | None,
    positions: int = 1,
    outgoing: Array | None = None,
    starts: tuple[int, ...] | None = None,
) -> Layer:
    """The reader with V' = D V + S, c' = c + o V, wherever it reads the group."""
    place, (m, n) = Reader(0, positions, starts), decode.shape
    kernel, old = kernel_of(layer).astype(np.float64), bias_of(layer)
    parts = parts_of(kernel, place, n)
    decoded = times_front(decode, parts)
    if outgoing is not None:
        decoded[:, m - outgoing.shape[1] :] += outgoing
    bias = None if old is None else old.astype(np.float64)
    if offset is not None and offset.any():
        shift = offset @ parts.reshape(len(parts), n, -1).sum(axis=0)
        bias = shift if bias is None else bias + shift
    return with_weights(layer, with_parts(kernel, place, n, decoded), bias)
