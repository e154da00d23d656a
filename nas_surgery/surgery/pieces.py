"""Units that layers have in pieces, some here and some there: how to drop some of each."""

import numpy as np

from nas_surgery.network import Array, Group, Network, Outputs


def pieces(network: Network, group: Group) -> Array:
    """A number for each unit of a group, the same for those that are always picked together, (size,)."""
    atoms = network.atoms.tensors
    channels = atoms[group.writers[0] + 1]
    marks = [np.zeros(group.size) if group.cells is None else np.asarray(group.cells)]
    for address in group.passers:
        if network.layers[address].channels.outputs is Outputs.SELECT:
            marks.append(np.isin(channels, atoms[address + 1]))
    if len(marks) == 1:
        return marks[0].astype(np.intp)
    found: Array = np.unique(np.stack(marks), axis=1, return_inverse=True)[1].ravel()
    return found


def fewest(network: Network, group: Group) -> int:
    """How many units have to stay, so that something of every piece does, and all cells stay equal."""
    count = int(pieces(network, group).max()) + 1
    return group.step * -(-count // group.step)


def spread(network: Network, group: Group, order: Array) -> Array:
    """The units in an order of which each beginning holds as large a part of every piece.

    Within a piece the given order stands. How many of each are among the first k depends on k alone.
    """
    held = pieces(network, group)
    if not held.any():
        return order
    share = np.empty(len(order))
    for piece in range(int(held.max()) + 1):
        mine = held[order] == piece
        share[mine] = (np.arange(int(mine.sum())) + 0.5) / max(1, int(mine.sum()))
    return order[np.lexsort((held[order], share))]
