"""Depth surgery: insert an identity, merge a linear layer into its reader, factor one layer in two."""

from collections.abc import Iterable, Mapping

import numpy as np

from nas_surgery.network import (
    ACTIVATIONS,
    Activation,
    Dense,
    Group,
    Layer,
    Network,
    Outputs,
    bias_of,
    kernel_of,
    own,
    with_weights,
)
from nas_surgery.surgery.components import singular_components
from nas_surgery.surgery.promise import Promise, approximate, proved
from nas_surgery.surgery.result import Surgery
from nas_surgery.surgery.width import read


def group_functions(network: Network, group: Group) -> tuple[str, ...]:
    """Names of all activations between the writers and the readers in their order, without linear ones."""
    return _functions(network, group.passers)


def group_activation(network: Network, group: Group) -> str:
    """Name of the first of `group_functions`, which is all where a chain has one; "linear" without any."""
    return next(iter(group_functions(network, group)), "linear")


def exact_activation(network: Network, group: Group) -> str:
    """The activation that an identity layer behind the group may have and be exact."""
    around = _around_identity(network, group)
    return next((name for name in around if ACTIVATIONS[name].idempotent), "linear")


def insert_identity(network: Network, group: Group, function: str) -> Surgery:
    """A linear layer with the identity as its kernel and its activation, behind the group's own (eq. 3)."""
    behind = _last_elementwise(network, group)
    kernel = own(np.eye(group.size, dtype=network.dtype))
    added: list[Layer] = [Dense(kernel, np.zeros(group.size, network.dtype))]
    added += [Activation(function)] if function != "linear" else []
    edited = network.replace({behind: (network.layers[behind], *added)})
    promise = _identity_promise(_around_identity(network, group), function)
    return Surgery(edited, promise, 0.0 if promise.exact else None)


def merge_into_reader(network: Network, group: Group) -> Surgery:
    """Drop the writer and what is elementwise behind it: A' = A_j A_{j+1}, b' = b_j A_{j+1} + b_{j+1} (eqs. 11, 12)."""
    writer = network.layers[group.writers[0]]
    decode, bias = kernel_of(writer).astype(np.float64), bias_of(writer)
    offset = None if bias is None else bias.astype(np.float64)
    readers = {
        reader.address: read(network.layers[reader.address], decode, offset, reader.positions)
        for reader in group.readers
    }
    return bypass(network, group, readers, _merge_promise(group_functions(network, group)))


def bypass(
    network: Network, group: Group, readers: Mapping[int, Layer], promise: Promise
) -> Surgery:
    """Drop the writer and what is elementwise behind it; the given readers take its inputs instead."""
    changes: dict[int, tuple[Layer, ...]] = {group.writers[0]: ()}
    for address in group.passers:
        layer = network.layers[address]
        changes[address] = () if layer.channels.outputs is Outputs.SAME else (layer,)
    changes.update({address: (layer,) for address, layer in readers.items()})
    return Surgery(network.replace(changes), promise, 0.0 if promise.exact else None)


def factor_layer(network: Network, address: int, rank: int) -> Surgery:
    """Two linear layers in place of one: U Σ (in, r), then Vᵀ (r, out) with the old bias (eq. 10)."""
    layer = network.layers[address]
    parts = singular_components(layer)
    first = with_weights(layer, parts.left[:, :rank] * parts.values[:rank], None)
    second = with_weights(layer, parts.right[:, :rank].T, bias_of(layer))
    edited = network.replace({address: (first, second)})
    promise = proved("no component is lost")
    if parts.rank > rank:
        promise = approximate("components are lost")
    return Surgery(edited, promise, parts.share_lost(rank))


def _last_elementwise(network: Network, group: Group) -> int:
    """The last activation before a Flatten, or the writer: the channels are last until then."""
    last = group.writers[-1]
    for address in group.passers:
        layer = network.layers[address]
        if layer.channels.outputs is not Outputs.SAME:
            break
        if layer.elementwise is not None:
            last = address
    return last


def _functions(network: Network, addresses: Iterable[int]) -> tuple[str, ...]:
    functions = (network.layers[address].elementwise for address in addresses)
    names = (function.name for function in functions if function is not None)
    return tuple(name for name in names if name != "linear")


def _around_identity(network: Network, group: Group) -> tuple[str, ...]:
    """The functions next to where an identity is inserted, the one before it first; none is linear."""
    behind = _last_elementwise(network, group)
    before = _functions(network, (i for i in group.passers if i <= behind))
    after = _functions(network, (i for i in group.passers if i > behind))
    return before[-1:] + after[:1]


def _identity_promise(around: tuple[str, ...], inserted: str) -> Promise:
    if inserted == "linear":
        return proved("the identity is linear")
    if inserted in around and ACTIVATIONS[inserted].idempotent:
        return proved(f"{inserted} is idempotent")
    neighbour = around[0] if around else "linear"
    return approximate(f"{inserted} does not leave the outputs of {neighbour} alone")


def _merge_promise(functions: tuple[str, ...]) -> Promise:
    if not functions:
        return proved("no activation stands between")
    are = "is" if len(functions) == 1 else "are"
    return approximate(f"the {', '.join(functions)} between {are} dropped")
