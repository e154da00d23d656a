"""Depth surgery: insert an identity, merge a linear layer into its reader, factor one layer in two."""

from collections.abc import Iterator, Mapping

import numpy as np

from nas_surgery.network import (
    ACTIVATIONS,
    Activation,
    Array,
    Dense,
    Function,
    Group,
    Layer,
    Network,
    Outputs,
    Passes,
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
    """Names of what stands between the writers and the readers and changes values, in their order.

    An activation's is that of its function, without linear ones; that of another layer its kind.
    """
    names = (_change_of(network.layers[address]) for address in group.passers)
    return tuple(name for name in names if name is not None)


def group_activation(network: Network, group: Group) -> str:
    """Name of the first of `group_functions`, which is all where a chain has one; "linear" without any."""
    return next(iter(group_functions(network, group)), "linear")


def exact_activation(network: Network, address: int) -> str:
    """The activation that an identity layer behind the hidden layer at `address` may have and be exact."""
    around = _around_identity(network, address)
    return next((f.name for f in around if f.idempotent and _usual(f)), "linear")


def insert_identity(network: Network, address: int, function: str) -> Surgery:
    """A linear layer that gives back its inputs and its activation, behind the hidden layer at `address` and
    what is elementwise behind it (eq. 3). It is of that layer's kind where there is such a one."""
    behind = last_elementwise(network, address)
    shape = network.shapes[behind + 1]
    identity = network.layers[address].identity(shape, network.dtype)
    if identity is None:
        kernel = own(np.eye(shape[-1], dtype=network.dtype))
        identity = Dense(kernel, np.zeros(shape[-1], network.dtype))
    added: list[Layer] = [identity]
    added += [Activation(function)] if function != "linear" else []
    edited = network.replace({behind: (network.layers[behind], *added)})
    promise = _identity_promise(_around_identity(network, address), function)
    return Surgery(edited, promise, 0.0 if promise.exact else None)


def merge_into_reader(network: Network, group: Group) -> Surgery:
    """Drop the writer and what is elementwise behind it: A' = A_j A_{j+1}, b' = b_j A_{j+1} + b_{j+1} (eqs. 11, 12)."""
    writer = network.layers[group.writers[0]]
    decode, bias = kernel_of(writer).astype(np.float64), bias_of(writer)
    decode = decode.reshape(-1, decode.shape[-1])
    offset = None if bias is None else bias.astype(np.float64)
    readers = {
        place.address: read(
            network.layers[place.address], decode, offset, place.positions, None, place.starts
        )
        for place in group.readers
    }
    promise = _merge_promise(group_functions(network, group))
    padded = any(network.layers[reader.address].pads for reader in group.readers)
    if promise.exact and padded and offset is not None and offset.any():
        promise = approximate("the bias does not reach the zeros beside what is read")
    return bypass(network, group, readers, promise)


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
    """Two linear layers in place of one: U Σ (in, ..., r), then Vᵀ (r, out) with the old bias (eq. 10)."""
    layer = network.layers[address]
    parts = singular_components(layer)
    first = parts.left[:, :rank] * parts.values[:rank]
    edited = in_two(network, address, first, parts.right[:, :rank].T, bias_of(layer))
    promise = proved("no component is lost")
    if parts.rank > rank:
        promise = approximate("components are lost")
    return Surgery(edited, promise, parts.share_lost(rank))


def in_two(
    network: Network, address: int, first: Array, second: Array, bias: Array | None
) -> Network:
    """The network with a linear layer as one of kernel first (in · window, r), and channels mixed by
    second (r, out) behind it, with the bias."""
    layer = network.layers[address]
    shape = (*kernel_of(layer).shape[:-1], first.shape[1])
    kernel = own(np.ascontiguousarray(second, network.dtype))
    added = None if bias is None else own(np.ascontiguousarray(bias, network.dtype))
    mixing = layer.mixing(kernel, added) or Dense(kernel, added)
    return network.replace({address: (with_weights(layer, first.reshape(shape), None), mixing)})


def unfactorable(layer: Layer) -> str | None:
    """Why a linear layer cannot be two in a row, or None."""
    if layer.channels.recurs:
        return f"a {layer.kind} weighs its own outputs too"
    if layer.blocks > 1:
        return f"a {layer.kind} in {layer.blocks} groups has a kernel for each"
    return None


def unmergeable(network: Network, group: Group, address: int) -> str | None:
    """Why what reads a hidden layer cannot read its inputs instead, or None."""
    writer = network.layers[address]
    if len(group.writers) > 1:
        return f"{len(group.writers)} layers write its channels"
    if not writer.channels.reads or writer.channels.recurs or not writer.weighs_rows:
        return f"a {writer.kind} is no product of channels and weights"
    if writer.blocks > 1 or set(writer.window) - {1}:
        return f"a {writer.kind} of a window or in groups is no plain matrix"
    (before,) = network.shapes_before(address)
    if network.shapes[address + 1][:-1] != before[:-1]:
        return "its outputs stand at other positions than its inputs"
    if group.scattered or group.cells is not None or group.ends:
        return "its channels are read in pieces"
    between = (i for i in group.passers if not moves_on(network.layers[i]))
    if (other := next(between, None)) is not None:
        return f"layer {other} ({network.layers[other].kind}) stands between it and what reads it"
    readers = [(r.address, network.layers[r.address]) for r in group.readers]
    apart = (i for i, layer in readers if layer.blocks > 1 or not layer.weighs_rows)
    if (other := next(apart, None)) is not None:
        return f"layer {other} ({network.layers[other].kind}) reads them in parts"
    return None


def moves_on(layer: Layer) -> bool:
    """Whether a layer gives each value by itself, where it stands, or tiled."""
    tiles = layer.channels.outputs is Outputs.TILE
    return tiles or layer.random or layer.elementwise is not None


def _change_of(layer: Layer) -> str | None:
    if layer.elementwise is not None:
        return None if layer.elementwise.name == "linear" else layer.elementwise.name
    moves = layer.random or layer.passes is Passes.ANY
    return None if moves else layer.kind


def _followers(network: Network, address: int) -> Iterator[int]:
    """Layers behind a layer, each of them the only one that reads the one before, and reads nothing else."""
    while True:
        readers = [i for i, held in enumerate(network.sources) if address in held]
        if len(readers) != 1 or len(network.sources[readers[0]]) != 1:
            return
        (address,) = readers
        yield address


def last_elementwise(network: Network, address: int) -> int:
    """The last activation of its own behind a layer, or the layer: its channels are last until then."""
    last = address
    for follower in _followers(network, address):
        layer = network.layers[follower]
        if layer.channels.outputs is not Outputs.SAME:
            break
        if layer.elementwise is not None:
            last = follower
    return last


def function_behind(network: Network, address: int) -> str | None:
    """Name of the function whose values stand behind a layer and what is elementwise there, if any."""
    behind, before = last_elementwise(network, address), list[Function]()
    for follower in _followers(network, address):
        if follower > behind:
            break
        before = _next_function(network.layers[follower], before)
    return before[0].name if before and _usual(before[0]) else None


def _around_identity(network: Network, address: int) -> tuple[Function, ...]:
    """The functions next to where an identity is inserted, the one before it first; none is linear."""
    behind = last_elementwise(network, address)
    before: list[Function] = []
    for follower in _followers(network, address):
        if follower > behind:
            break
        before = _next_function(network.layers[follower], before)
    return (*before, *_function_after(network, behind))


def _next_function(layer: Layer, before: list[Function]) -> list[Function]:
    """What the values behind a layer are the outputs of, if it is known; before: those in front of it."""
    if layer.elementwise is None:
        return before if layer.random else []
    return before if layer.elementwise.name == "linear" else [layer.elementwise]


def _function_after(network: Network, behind: int) -> list[Function]:
    for follower in _followers(network, behind):
        layer = network.layers[follower]
        if not moves_on(layer):
            break
        if layer.elementwise is not None and layer.elementwise.name != "linear":
            return [layer.elementwise]
    return []


def _usual(function: Function) -> bool:
    """Whether its name says all of it."""
    return ACTIVATIONS.get(function.name) is function


def _identity_promise(around: tuple[Function, ...], inserted: str) -> Promise:
    if inserted == "linear":
        return proved("the identity is linear")
    if any(f.name == inserted and f.idempotent and _usual(f) for f in around):
        return proved(f"{inserted} is idempotent")
    neighbour = around[0].name if around else "linear"
    return approximate(f"{inserted} does not leave the outputs of {neighbour} alone")


def _merge_promise(functions: tuple[str, ...]) -> Promise:
    if not functions:
        return proved("no activation stands between")
    are = "is" if len(functions) == 1 else "are"
    return approximate(f"the {', '.join(functions)} between {are} dropped")
