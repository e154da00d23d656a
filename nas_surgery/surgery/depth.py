"""Depth surgery: insert an identity, merge a linear layer into its reader, factor one layer in two."""

from collections.abc import Mapping

import numpy as np

from nas_surgery.network import (
    ACTIVATIONS,
    Activation,
    Dense,
    Flatten,
    Group,
    Layer,
    Network,
    linear_layer,
    own,
)
from nas_surgery.surgery.components import singular_components
from nas_surgery.surgery.exactness import Promise, approximate, proved
from nas_surgery.surgery.result import Surgery
from nas_surgery.surgery.width import read


def group_activation(network: Network, group: Group) -> str:
    """Name of the activation between the writers and the readers; "linear" if there is none."""
    layers = (network.layers[address] for address in group.passers)
    return next((a.function for a in layers if isinstance(a, Activation)), "linear")


def exact_activation(network: Network, group: Group) -> str:
    """The group's own activation where an identity layer with it is exact, else "linear"."""
    own_function = group_activation(network, group)
    return own_function if ACTIVATIONS[own_function].idempotent else "linear"


def insert_identity(network: Network, group: Group, function: str) -> Surgery:
    """A linear layer with the identity as its kernel and its activation, behind the group's own (eq. 3)."""
    behind = _last_elementwise(network, group)
    kernel = own(np.eye(group.size, dtype=network.dtype))
    added: list[Layer] = [Dense(kernel, np.zeros(group.size, network.dtype))]
    added += [Activation(function)] if function != "linear" else []
    edited = network.replace({behind: (network.layers[behind], *added)})
    promise = _identity_promise(group_activation(network, group), function)
    return Surgery(edited, promise, 0.0 if promise.exact else None)


def merge_into_reader(network: Network, group: Group) -> Surgery:
    """Drop the writer and what is elementwise behind it: A' = A_j A_{j+1}, b' = b_j A_{j+1} + b_{j+1} (eqs. 11, 12)."""
    writer = linear_layer(network.layers[group.writers[0]])
    decode = writer.kernel.astype(np.float64)
    offset = None if writer.bias is None else writer.bias.astype(np.float64)
    readers = {
        reader.address: read(network.layers[reader.address], decode, offset, reader.positions)
        for reader in group.readers
    }
    return bypass(network, group, readers, _merge_promise(group_activation(network, group)))


def bypass(
    network: Network, group: Group, readers: Mapping[int, Layer], promise: Promise
) -> Surgery:
    """Drop the writer and what is elementwise behind it; the given readers take its inputs instead."""
    changes: dict[int, tuple[Layer, ...]] = {group.writers[0]: ()}
    for address in group.passers:
        layer = network.layers[address]
        changes[address] = (layer,) if isinstance(layer, Flatten) else ()
    changes.update({address: (layer,) for address, layer in readers.items()})
    return Surgery(network.replace(changes), promise, 0.0 if promise.exact else None)


def factor_layer(network: Network, address: int, rank: int) -> Surgery:
    """Two linear layers in place of one: U Σ (in, r), then Vᵀ (r, out) with the old bias (eq. 10)."""
    layer = linear_layer(network.layers[address])
    parts = singular_components(layer)
    first = own(np.ascontiguousarray(parts.left[:, :rank] * parts.values[:rank], network.dtype))
    second = own(np.ascontiguousarray(parts.right[:, :rank].T, network.dtype))
    edited = network.replace({address: (Dense(first), Dense(second, layer.bias))})
    promise = proved("no component is lost")
    if parts.rank > rank:
        promise = approximate("components are lost")
    return Surgery(edited, promise, parts.share_lost(rank))


def _last_elementwise(network: Network, group: Group) -> int:
    """The group's activation, or its writer where a Flatten comes first: the channels are last until then."""
    for address in group.passers:
        layer = network.layers[address]
        if isinstance(layer, Activation):
            return address
        if isinstance(layer, Flatten):
            break
    return group.writers[-1]


def _identity_promise(before: str, inserted: str) -> Promise:
    if inserted == "linear":
        return proved("the identity is linear")
    if inserted == before and ACTIVATIONS[before].idempotent:
        return proved(f"{before} is idempotent")
    return approximate(f"{inserted} does not leave the outputs of {before} alone")


def _merge_promise(function: str) -> Promise:
    if function == "linear":
        return proved("no activation stands between")
    return approximate(f"the {function} between is dropped")
