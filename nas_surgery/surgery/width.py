"""Width surgery: replace the channels h (n) of a group by h' (m), for all its layers at once.

    writer:  W' = W E + R,  b' = b E + r        reader:  V' = D V + S,  c' = c + o V

Cloning, splitting, pruning, SVD projection and new units are each a choice of (E, R, D, S, o). Every
linear layer keeps its channels on the last two axes (..., in, out), so the same lines serve all.
"""

import attrs
import numpy as np

from nas_surgery.network import Array, Group, Layer, Network, linear_layer, own
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
    writer = linear_layer(layer)
    kernel = writer.kernel.astype(np.float64) @ encode
    bias = None if writer.bias is None else writer.bias.astype(np.float64) @ encode
    if fresh is not None:
        count = fresh.bias.size
        kernel[..., -count:] += fresh.kernel
        if bias is None and fresh.bias.any():
            bias = np.zeros(kernel.shape[-1])
        if bias is not None:
            bias[-count:] += fresh.bias
    return _like(writer, kernel, bias)


def read(
    layer: Layer,
    decode: Matrix,
    offset: Array | None,
    positions: int = 1,
    outgoing: Array | None = None,
) -> Layer:
    """The reader with V' = D V + S, c' = c + o V, at each of its `positions`."""
    reader = linear_layer(layer)
    m, n = decode.shape
    kernel = reader.kernel.astype(np.float64).reshape(positions, n, reader.units)
    decoded = np.stack([decode @ part for part in kernel])
    if outgoing is not None:
        decoded[:, m - outgoing.shape[1] :] += outgoing
    bias = None if reader.bias is None else reader.bias.astype(np.float64)
    if offset is not None and offset.any():
        shift = offset @ kernel.sum(axis=0)
        bias = shift if bias is None else bias + shift
    return _like(reader, decoded.reshape(positions * m, reader.units), bias)


def _like(layer: Layer, kernel: Array, bias: Array | None) -> Layer:
    dtype = linear_layer(layer).kernel.dtype
    held = None if bias is None else own(np.ascontiguousarray(bias, dtype))
    return attrs.evolve(
        linear_layer(layer), kernel=own(np.ascontiguousarray(kernel, dtype)), bias=held
    )
