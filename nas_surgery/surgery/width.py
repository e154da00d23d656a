"""Width surgery: replace the channels h (n) of a group by h' (m), for all its layers at once.

    writer:  W' = W E + R,  b' = b E + r        reader:  V' = D V + S,  c' = c + o V

Cloning, splitting, pruning, SVD projection and new units are each a choice of (E, R, D, S, o). Layers
say where their channels are, and kernels come as (in, ..., out), so the same lines serve all.
"""

import numpy as np

from nas_surgery.network import Array, Group, Layer, Network, bias_of, kernel_of, with_weights
from nas_surgery.surgery.axes import times, times_front
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
        layer = network.layers[reader.address]
        edited = read(layer, change.decode, change.offset, reader.positions, added)
        replaced[reader.address] = (edited,)
    promise = promise_of(network, group, change)
    predicted = 0.0 if promise.exact else None
    return Surgery(network.replace(replaced), promise, predicted, _dual(group, change))


def _dual(group: Group, change: WidthMap) -> dict[int, Carry]:
    """Dᵀ for the outputs of writers, Eᵀ for the inputs of readers; a layer may be both."""
    carried = {address: Carry(address, None, change.decode.T) for address in group.writers}
    for reader in group.readers:
        columns = carried[reader.address].columns if reader.address in carried else None
        carried[reader.address] = Carry(reader.address, change.encode, columns, reader.positions)
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
) -> Layer:
    """The reader with V' = D V + S, c' = c + o V, at each of its `positions`."""
    m, n = decode.shape
    kernel, old = kernel_of(layer).astype(np.float64), bias_of(layer)
    decoded = times_front(decode, kernel, positions)
    if outgoing is not None:
        decoded[:, m - outgoing.shape[1] :] += outgoing
    bias = None if old is None else old.astype(np.float64)
    if offset is not None and offset.any():
        shift = offset @ kernel.reshape(positions, n, -1).sum(axis=0)
        bias = shift if bias is None else bias + shift
    return with_weights(layer, decoded.reshape(positions * m, *kernel.shape[1:]), bias)
