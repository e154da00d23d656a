"""Channel groups where layers fork and join: every channel is a number, and a sum ties numbers together."""

from collections.abc import Sequence

import numpy as np
from scipy.sparse import coo_array

from nas_surgery.network.arrays import Array, Shape
from nas_surgery.network.channels import Outputs
from nas_surgery.network.groups import Group, Reader
from nas_surgery.network.layers import Layer

Sources = Sequence[tuple[int, ...]]


def channel_groups(
    layers: Sequence[Layer], shapes: Sequence[Shape], sources: Sources
) -> tuple[Group, ...]:
    """The groups that surgery may change, in order; the input and the output are not among them.

    shapes: of one sample at the input, and behind every layer. sources: of each layer. Channels are
    left alone that are tied to others of which some writer makes only a part, or in another order.
    """
    tensors, frozen = _labels(layers, shapes, sources)
    written: dict[bytes, list[int]] = {}
    for address, layer in enumerate(layers):
        if layer.channels.outputs is Outputs.FRESH:
            written.setdefault(tensors[address + 1].tobytes(), []).append(address)
    makers = np.zeros(len(frozen), np.intp)
    for writers in written.values():
        np.add.at(makers, tensors[writers[0] + 1], 1)
    made = [tuple(writers) for writers in written.values()]
    free = [w for w in made if not (frozen | (makers > 1))[tensors[w[0] + 1]].any()]
    groups = (_group(layers, sources, tensors, writers) for writers in free)
    return tuple(group for group in groups if group.readers)


def _labels(
    layers: Sequence[Layer], shapes: Sequence[Shape], sources: Sources
) -> tuple[list[Array], Array]:
    """What each channel of the input and behind every layer is: the same number where they are tied.

    The second result says by number which surgery must leave alone.
    """
    tensors = [np.arange(shapes[0][-1])]
    count, ties = shapes[0][-1], []
    frozen = [tensors[0]]
    for address, layer in enumerate(layers):
        inputs = [tensors[source + 1] for source in sources[address]]
        width, outputs = shapes[address + 1][-1], layer.channels.outputs
        if outputs is Outputs.FRESH or outputs is Outputs.FROZEN:
            made = np.arange(count, count + width)
            count += width
        elif outputs is Outputs.TILE:
            made = np.tile(inputs[0], width // len(inputs[0]))
        else:
            made = np.concatenate(inputs) if outputs is Outputs.CONCAT else inputs[0]
        if outputs is Outputs.FROZEN:
            frozen += [made, *inputs]
        elif outputs is Outputs.TIE:
            ties += [(inputs[0], other) for other in inputs[1:]]
        tensors.append(made)
    label = _components(ties, count)
    left_alone = np.zeros(count, bool)
    left_alone[label[np.concatenate([*frozen, tensors[-1]])]] = True
    return [label[tensor] for tensor in tensors], left_alone


def _components(ties: list[tuple[Array, Array]], count: int) -> Array:
    """The number of the component of each atom."""
    if not ties:
        return np.arange(count)
    from scipy.sparse.csgraph import connected_components  # not at the top: chains need none

    rows, columns = (np.concatenate(side) for side in zip(*ties, strict=True))
    edges = coo_array((np.ones(len(rows), bool), (rows, columns)), shape=(count, count))
    label: Array = connected_components(edges, directed=False)[1]
    return label


def _group(
    layers: Sequence[Layer], sources: Sources, tensors: Sequence[Array], writers: tuple[int, ...]
) -> Group:
    """The group that these layers write, all of its channels in one order."""
    channels = tensors[writers[0] + 1]
    readers, passers = [], []
    for address in range(writers[0], len(layers)):
        for source in sources[address]:
            starts = _starts(tensors[source + 1], channels)
            if starts and layers[address].channels.reads:
                readers.append(_reader(address, starts, len(channels), len(tensors[source + 1])))
            elif starts and address not in passers:
                passers.append(address)
    return Group(len(channels), writers, tuple(readers), tuple(passers))


def _starts(tensor: Array, channels: Array) -> tuple[int, ...]:
    """Where in a tensor the channels of a group begin, which stand together in it."""
    return tuple(np.flatnonzero(tensor == channels[0]).tolist())


def _reader(address: int, starts: tuple[int, ...], size: int, width: int) -> Reader:
    if len(starts) * size == width:
        return Reader(address, len(starts))
    return Reader(address, len(starts), starts)
