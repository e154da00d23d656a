"""How much each group matters to the outputs, by networks whose readers see only what half of it can tell.

No weight is changed and nothing is fitted: between a group and its readers stands a projection onto what
the units that would stay tell of the others. So what is found costs forward passes alone.
"""

from collections.abc import Sequence

import numpy as np

from nas_surgery.network import Array, Group, Network, Reader
from nas_surgery.network.wires import walk
from nas_surgery.shrinking.curves import Curve
from nas_surgery.shrinking.telling import Told
from nas_surgery.surgery.normal import Sums
from nas_surgery.surgery.refit import Run

WORK = 2e12  # multiply-accumulates that may be spent on it
LEAST, MOST = 8, 64  # samples
HALF = 0.5  # of a group goes
RIDGE = 1e-4  # of the mean square of a unit

Projections = dict[int, list[tuple[Reader, Array]]]  # by the address of the layer that reads


def weights_of(
    network: Network,
    groups: Sequence[Group],
    curves: Sequence[Curve],
    values: Sequence[Array],
    x: Array,
    run: Run,
    told: Told,
) -> Array:
    """Share of the outputs' power that goes with half of each group, over the loss by its curve, (groups,).

    values: what the readers of each group see, (rows, size); none of a group that no kernel reads. x:
    samples, of which as many are looked at as the work allows.
    """
    few = int(np.clip(WORK / (len(groups) * max(network.macs, 1)), LEAST, MOST))
    held = x[-few:]
    outputs = outputs_of(network, held, run)
    spread = max(float(outputs.var(axis=0).sum()), np.finfo(np.float64).tiny)
    weights = np.ones(len(groups))
    for i, (group, curve) in enumerate(zip(groups, curves, strict=True)):
        told("weighing", i + 1, len(groups))
        size = max(group.step, int(group.size * HALF) // group.step * group.step)
        projection = projection_of(curve.kept(size), values[i], group.size)
        seen = _between(network, group, projection)
        lost = outputs_of(network, held, run, seen) - outputs
        power = float(np.mean(np.sum(lost**2, axis=-1)))
        weights[i] = power / spread / max(curve.lost[size], 1e-9)
    return weights


def projection_of(kept: Array, values: Array, size: int) -> Array:
    """P (size, size): a unit that is kept stays, another is what those tell of it by least squares."""
    projection = np.zeros((size, size))
    projection[kept, kept] = 1
    others = np.setdiff1d(np.arange(size), kept)
    if not len(values) or not len(others):
        return projection
    sums = Sums.empty(len(kept), len(others))
    sums.add(values[:, kept], values[:, others])
    scale = float(np.trace(sums.rr)) / len(kept)
    gram = sums.rr + (RIDGE * scale + np.finfo(np.float64).tiny) * np.eye(len(kept))
    projection[np.ix_(kept, others)] = np.linalg.solve(gram, sums.rz)
    return projection


def _between(network: Network, group: Group, projection: Array) -> Projections:
    places: Projections = {}
    for reader in group.readers:
        places.setdefault(reader.address, []).append((reader, projection))
    for address in group.ends:
        places.setdefault(address, []).append((Reader(address), projection))
    return places


def outputs_of(network: Network, x: Array, run: Run, between: Projections | None = None) -> Array:
    """Outputs (N, values) of a network for samples `x`, float64, each layer by `run`.

    between: what stands before layers that read groups; before queries and keys alike.
    """
    layers, places = network.layers, between or {}

    def step(address: int, *xs: Array) -> Array:
        for reader, projection in places.get(address, []):
            count = 1 if layers[address].channels.reads else 2
            xs = (*(_projected(v, reader, projection) for v in xs[:count]), *xs[count:])
        return run(layers[address], *xs)

    made = walk(network.sources, np.asarray(x, network.dtype), step)
    return made.astype(np.float64).reshape(len(x), -1)


def _projected(value: Array, reader: Reader, projection: Array) -> Array:
    """A value whose channels of a group are projected, wherever they stand in it."""
    size = len(projection)
    index = reader.index
    if index is None:
        starts = range(0, reader.positions * size, size) if reader.starts is None else reader.starts
        index = np.arange(size) + np.array(list(starts))[:, None]
    moved = value.copy()
    for places in index:
        there = places >= 0
        part = value[..., places[there]] @ projection[np.ix_(there, there)].astype(value.dtype)
        moved[..., places[there]] = part
    return moved
