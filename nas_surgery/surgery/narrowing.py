"""Dropping channels wherever they are, of any number of groups at once.

What is left of each array follows from the numbers of the channels alone (`Network.atoms`), so forks,
shuffles, concatenations and convolutions in blocks need no case of their own.
"""

from collections.abc import Mapping, Sequence

import attrs
import numpy as np

from nas_surgery.network import Array, Group, Layer, Network, Outputs, own
from nas_surgery.network.channels import Axis
from nas_surgery.surgery.result import Narrowed

Kept = Array  # (channels,) of bool: which of a tensor's channels stay


def narrowed(
    network: Network, choices: Sequence[tuple[Group, Array]]
) -> tuple[Network, dict[int, Narrowed]]:
    """The network with the chosen units (k,) of each group and no others, and what became of each layer.

    Its outputs are the same if nothing read the others; no layer's settings or other weights change.
    """
    left = np.ones(len(network.atoms.fixed), bool)
    for group, units in choices:
        channels = network.atoms.tensors[group.writers[0] + 1]
        left[np.delete(channels, units)] = False
    changes, cuts = {}, {}
    for address, layer in enumerate(network.layers):
        cut = cut_of(network, address, left)
        if not cut.whole:
            changes[address], cuts[address] = (narrow(layer, cut),), cut
    return network.replace(changes), cuts


def narrow(layer: Layer, cut: Narrowed) -> Layer:
    """The layer with the channels that stay; `layer` may hold moments in the place of weights."""
    arrays = {
        name: own(np.ascontiguousarray(_taken(layer, name, array, cut)))
        for name, array in layer.arrays().items()
    }
    before = tuple(len(kept) for kept in cut.inputs)
    after = tuple(int(kept.sum()) for kept in cut.inputs)
    resized = layer.with_channels(arrays, before, after)
    if layer.channels.outputs is Outputs.SELECT:
        return selecting(resized, cut)
    return resized


def cut_of(network: Network, address: int, left: Array) -> Narrowed:
    """Which channels of a layer stay, where `left` (numbers,) says which of the network do."""
    tensors = network.atoms.tensors
    inputs = tuple(left[tensors[source + 1]] for source in network.sources[address])
    return Narrowed(address, inputs, left[tensors[address + 1]])


def _taken(layer: Layer, name: str, array: Array, cut: Narrowed) -> Array:
    channels = layer.channels
    if layer.blocks > 1 and _along(channels.reads, name):
        return _taken_by_blocks(layer, name, array, cut)
    (inputs, *_), outputs = cut.inputs, cut.outputs
    for axis in _along(channels.reads, name):
        array = np.compress(inputs, array, axis)
    for axis in _along((*channels.made, *channels.recurs), name):
        array = np.compress(outputs, array, axis)
    return array


def _taken_by_blocks(layer: Layer, name: str, array: Array, cut: Narrowed) -> Array:
    """Each block of outputs reads its own block of inputs, and counts them from its first."""
    (read,), (made,) = _along(layer.channels.reads, name), _along(layer.channels.writes, name)
    inputs = cut.inputs[0].reshape(layer.blocks, -1)
    outputs = cut.outputs.reshape(layer.blocks, -1)
    parts = np.split(array, layer.blocks, made)
    taken = [
        np.compress(theirs, np.compress(seen, part, read), made)
        for part, seen, theirs in zip(parts, inputs, outputs, strict=True)
    ]
    return np.concatenate(taken, made)


def _along(places: Sequence[Axis], name: str) -> list[int]:
    return [place.axis for place in places if place.array == name]


def selecting(layer: Layer, cut: Narrowed) -> Layer:
    """The channels that are left, by their places among those that are left."""
    place = np.cumsum(cut.inputs[0]) - 1
    named = np.asarray(layer.config()["indices"])[cut.outputs]
    return attrs.evolve(layer, indices=tuple(place[named].tolist()))  # type: ignore[misc]


def narrowed_moments(held: Mapping[str, Array], old: Layer, cut: Narrowed) -> dict[str, Array]:
    """What becomes of arrays by field that are shaped as the layer's own: the same cut."""
    like = attrs.evolve(old, **held)  # type: ignore[misc]
    return {name: array for name, array in narrow(like, cut).arrays().items() if name in held}
