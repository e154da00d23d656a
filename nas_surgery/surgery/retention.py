"""Which units of a group to keep, and how the readers make up for the others."""

import attrs
import numpy as np
from scipy import linalg

from nas_surgery.network import Array, Group, Network, bias_of, kernel_of
from nas_surgery.surgery.axes import parts_of
from nas_surgery.surgery.maps import WidthMap, selection
from nas_surgery.surgery.ridge import ridge


@attrs.frozen(eq=False)
class Retention:
    """A width map and the relative change of the readers' outputs that is to be expected."""

    change: WidthMap
    error: float


def retain(network: Network, group: Group, activations: Array, keep: int) -> Retention:
    """Keep `keep` units so that the others are linear functions of them, as well as may be.

    activations H: (rows, size). The units are the first pivots of a QR decomposition of H, centred
    and scaled by the outgoing norms; the decoder is the ridge least squares of H on them. A unit that
    is kept stays as it is; one that is constant becomes part of the readers' bias.
    """
    kept = pivoted_units(activations * outgoing_norms(network, group), keep)
    dropped = np.setdiff1d(np.arange(group.size), kept)
    biased = takes_constants(network, group)
    fit = ridge(activations[:, kept], activations[:, dropped], biased)
    decode = selection(kept, group.size).T.toarray()
    decode[:, dropped] = fit.weights
    offset = np.zeros(group.size)
    offset[dropped] = fit.offset
    change = WidthMap(selection(kept, group.size), decode, offset)
    error = reader_error(network, group, activations, change) * fit.inflation
    return Retention(change, error)


def takes_constants(network: Network, group: Group) -> bool:
    """Whether each reader has a bias for them, no zeros stand beside what it reads, and nothing recurs."""
    if any(network.layers[address].channels.recurs for address in group.writers):
        return False
    readers = [network.layers[reader.address] for reader in group.readers]
    between = [network.layers[address] for address in group.passers]
    with_bias = all(bias_of(layer) is not None and layer.weighs_rows for layer in readers)
    return with_bias and not any(layer.pads for layer in (*readers, *between))


def pivoted_units(columns: Array, keep: int) -> Array:
    """Indices, ascending, of the first `keep` pivots of a QR decomposition of the centred columns."""
    return np.sort(pivots(columns)[:keep])


def pivots(columns: Array) -> Array:
    """All columns in the order of a pivoted QR decomposition of the centred ones."""
    order: Array = linalg.qr(columns - columns.mean(axis=0), mode="r", pivoting=True)[1]
    return order


def dealt(order: Array, group: Group) -> Array:
    """The first unit of each cell, the second of each, and so on; in the given order within a cell."""
    if group.cells is None:
        return order
    cells = np.asarray(group.cells)
    turn = np.empty(len(order), np.intp)
    for cell in range(group.step):
        mine = cells[order] == cell
        turn[mine] = np.arange(int(mine.sum()))
    return order[np.argsort(turn, kind="stable")]


def outgoing_norms(network: Network, group: Group) -> Array:
    """How strongly the readers weigh each channel: the norm over positions and outputs, (size,)."""
    total = np.zeros(group.size)
    for reader in group.readers:
        kernel = kernel_of(network.layers[reader.address]).astype(np.float64)
        parts = parts_of(kernel, reader, group.size)
        total += np.sum(parts.reshape(len(parts), group.size, -1) ** 2, axis=(0, 2))
    return np.sqrt(total)


def incoming_norms(network: Network, group: Group) -> Array:
    """L2 norm of each unit's incoming weights, over all writers, (size,)."""
    total = np.zeros(group.size)
    for address in group.writers:
        kernel = kernel_of(network.layers[address]).astype(np.float64)
        total += np.sum(kernel**2, axis=tuple(range(kernel.ndim - 1)))
    return np.sqrt(total)


def reader_error(network: Network, group: Group, activations: Array, change: WidthMap) -> float:
    """Change of what the readers put out, RMS ÷ RMS, if (rows, size) activations are recoded.

    It takes neighbouring positions of a Flatten for independent, and the rest of the network for
    one that passes relative changes on.
    """
    offset = 0.0 if change.offset is None else change.offset
    lost = activations - (activations @ change.encode) @ change.decode - offset
    power = change_power = 0.0
    for reader in group.readers:
        kernel = kernel_of(network.layers[reader.address]).astype(np.float64)
        parts = parts_of(kernel, reader, group.size)
        for part in parts.reshape(len(parts), group.size, -1):
            change_power += float(np.mean((lost @ part) ** 2))
            power += float(np.mean((activations @ part) ** 2))
    return float(np.sqrt(change_power / power)) if power else 0.0
