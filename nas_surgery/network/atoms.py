"""Channel groups where layers fork and join: every channel is a number, and a sum ties numbers together."""

from collections.abc import Sequence

import attrs
import numpy as np
from scipy.sparse import coo_array

from nas_surgery.network.arrays import Array, Shape
from nas_surgery.network.channels import Outputs
from nas_surgery.network.groups import Group, Reader, holds
from nas_surgery.network.layers import Layer

Sources = Sequence[tuple[int, ...]]


@attrs.frozen(eq=False)
class Atoms:
    """What each channel of the input and behind every layer is: the same number where they are tied.

    tensors: numbers (channels,), of the input first. fixed: by number, whether surgery must leave it
    alone. blocks: numbers (blocks, channels in each), of which each block has to keep as many.
    """

    tensors: tuple[Array, ...]
    fixed: Array
    blocks: tuple[Array, ...]


def channel_atoms(layers: Sequence[Layer], shapes: Sequence[Shape], sources: Sources) -> Atoms:
    """One pass over the layers; shapes: of one sample at the input, and behind every layer."""
    walk = _Walk(shapes[0][-1])
    for address, layer in enumerate(layers):
        walk.step(layer, [walk.tensors[s + 1] for s in sources[address]], shapes[address + 1][-1])
    walk.fix(walk.tensors[-1])
    label = _components(walk.ties, walk.count)
    fixed = np.zeros(walk.count, bool)
    fixed[label[np.concatenate(walk.fixed)]] = True
    return Atoms(
        tuple(label[tensor] for tensor in walk.tensors),
        fixed,
        tuple(label[block] for block in walk.blocks),
    )


class _Walk:
    """Numbers given so far, and what is known of them."""

    def __init__(self, channels: int) -> None:
        self.tensors = [np.arange(channels)]
        self.count = channels
        self.ties: list[tuple[Array, Array]] = []
        self.fixed = [self.tensors[0]]
        self.blocks: list[Array] = []

    def step(self, layer: Layer, inputs: list[Array], width: int) -> None:
        """The channels behind a layer that has so many of them."""
        outputs = layer.channels.outputs
        made = self._made(layer, outputs, inputs, width)
        if outputs is Outputs.FROZEN:
            self.fix(made, *inputs)
        elif outputs is Outputs.TIE:
            self.ties += [(inputs[0], other) for other in inputs[1:]]
        elif outputs is Outputs.ATTEND:
            self.ties.append((inputs[0], inputs[1]))
        if layer.blocks > 1:
            self._block(layer.blocks, *inputs, *((made,) if outputs is Outputs.FRESH else ()))
        self.tensors.append(made)

    def fix(self, *tensors: Array) -> None:
        self.fixed += tensors

    def _made(self, layer: Layer, outputs: Outputs, inputs: list[Array], width: int) -> Array:
        if outputs is Outputs.FRESH or outputs is Outputs.FROZEN:
            self.count += width
            return np.arange(self.count - width, self.count)
        if outputs is Outputs.TILE:
            return np.tile(inputs[0], width // len(inputs[0]))
        if outputs is Outputs.CONCAT:
            return np.concatenate(inputs)
        if outputs is Outputs.SELECT:
            return inputs[0][list(layer.config()["indices"])]
        return inputs[-1] if outputs is Outputs.ATTEND else inputs[0]

    def _block(self, blocks: int, *tensors: Array) -> None:
        self.blocks += [tensor.reshape(blocks, -1) for tensor in tensors]


def channel_groups(layers: Sequence[Layer], sources: Sources, atoms: Atoms) -> tuple[Group, ...]:
    """The groups that surgery may change, in order; the input and the output are not among them.

    Channels are left alone that are tied to others of which some writer makes only a part, or in
    another order, and those of blocks that it could not keep equal.
    """
    found = _Owners(layers, atoms)
    places: list[list[Reader]] = [[] for _ in found.writers]
    passers: list[list[int]] = [[] for _ in found.writers]
    holders: list[list[Reader]] = [[] for _ in found.writers]
    ends: list[list[int]] = [[] for _ in found.writers]
    for address, layer in enumerate(layers):
        channels = layer.channels
        for order, source in enumerate(sources[address]):
            for group, reader in found.inside(address, source + 1):
                if channels.reads:
                    places[group].append(reader)
                    continue
                if address not in passers[group]:
                    passers[group].append(address)
                    if channels.outputs is not Outputs.FRESH and holds(layer, channels):
                        holders[group].append(reader)
                if channels.outputs is Outputs.ATTEND and order < 2 and address not in ends[group]:
                    ends[group].append(address)
    groups = []
    for i, writers in enumerate(found.writers):
        cells = _cells(found, i, atoms.blocks)
        if cells is _UNEVEN or not (places[i] or ends[i]):
            continue
        groups.append(
            Group(
                int(found.sizes[i]),
                writers,
                tuple(places[i]),
                tuple(passers[i]),
                tuple(holders[i]),
                tuple(ends[i]),
                cells,
            )
        )
    return tuple(groups)


class _Owners:
    """To which group each number belongs that surgery may change, and as which of its channels."""

    def __init__(self, layers: Sequence[Layer], atoms: Atoms) -> None:
        self._tensors = atoms.tensors
        written: dict[bytes, list[int]] = {}
        for address, layer in enumerate(layers):
            if layer.channels.outputs is Outputs.FRESH:
                written.setdefault(atoms.tensors[address + 1].tobytes(), []).append(address)
        makers = np.zeros(len(atoms.fixed), np.intp)
        for writers in written.values():
            np.add.at(makers, atoms.tensors[writers[0] + 1], 1)
        left_alone = atoms.fixed | (makers > 1)
        made = [tuple(writers) for writers in written.values()]
        self.writers = [w for w in made if not left_alone[atoms.tensors[w[0] + 1]].any()]
        self.owner = np.full(len(makers), -1)
        self.rank = np.zeros(len(makers), np.intp)
        for i, (first, *_) in enumerate(self.writers):
            channels = atoms.tensors[first + 1]
            self.owner[channels], self.rank[channels] = i, np.arange(len(channels))
        self.sizes = np.bincount(self.owner[self.owner >= 0], minlength=len(self.writers))

    def inside(self, address: int, tensor: int) -> list[tuple[int, Reader]]:
        """The groups in what a layer reads from there, and where."""
        channels = self._tensors[tensor]
        owners = self.owner[channels]
        return [
            (int(i), self._place(address, owners, channels, int(i)))
            for i in np.unique(owners)
            if i >= 0
        ]

    def _place(self, address: int, owners: Array, channels: Array, group: int) -> Reader:
        places, size = np.flatnonzero(owners == group), int(self.sizes[group])
        ranks = self.rank[channels[places]]
        starts = places[::size]
        runs = np.arange(size) + starts[:, None]
        together = np.array_equal(runs.ravel(), places)
        if together and np.array_equal(ranks, np.tile(np.arange(size), len(starts))):
            whole = len(places) == len(owners)
            return Reader(address, len(starts), None if whole else tuple(starts.tolist()))
        index = _scattered(places, ranks, size)
        return Reader(address, len(index), None, index)


def _scattered(places: Array, ranks: Array, size: int) -> Array:
    """(positions, size): the first place of each channel, the second, and so on; -1 where there is none."""
    order = np.argsort(ranks, kind="stable")
    counts = np.bincount(ranks, minlength=size)
    firsts = np.cumsum(counts) - counts
    turn = np.arange(len(ranks)) - firsts[ranks[order]]
    index = np.full((int(counts.max()), size), -1)
    index[turn, ranks[order]] = places[order]
    return index


_UNEVEN = (-1,)


def _cells(found: _Owners, group: int, blocks: Sequence[Array]) -> tuple[int, ...] | None:
    """The cell of each channel of a group, None where there is but one, or `_UNEVEN`.

    Where each block of every layer keeps as many channels of each cell, all of its blocks stay equal.
    """
    columns = []
    for block in blocks:
        inside = found.owner[block] == group
        if not inside.any():
            continue
        owners = np.full(int(found.sizes[group]), -1)
        numbers, place = np.nonzero(inside)
        ranks = found.rank[block[numbers, place]]
        owners[ranks] = numbers
        if len(set(inside.sum(axis=1).tolist())) != 1 or len(np.unique(ranks)) != len(ranks):
            return _UNEVEN
        columns.append(owners)
    if not columns:
        return None
    _, cells = np.unique(np.stack(columns), axis=1, return_inverse=True)
    cells = cells.ravel()
    if len(set(np.bincount(cells).tolist())) != 1:
        return _UNEVEN
    return tuple(cells.tolist())


def _components(ties: list[tuple[Array, Array]], count: int) -> Array:
    """The number of the component of each atom."""
    if not ties:
        return np.arange(count)
    from scipy.sparse.csgraph import connected_components  # not at the top: chains need none

    rows, columns = (np.concatenate(side) for side in zip(*ties, strict=True))
    edges = coo_array((np.ones(len(rows), bool), (rows, columns)), shape=(count, count))
    label: Array = connected_components(edges, directed=False)[1]
    return label
