"""New units that are picked because the loss already asks for them."""

import numpy as np

from nas_surgery.network import Array, Group, Network, units
from nas_surgery.surgery.depth import moves_on
from nas_surgery.surgery.fresh import centred_units, doubled, pair_outgoing, pair_scale
from nas_surgery.surgery.gradient import output_gradient
from nas_surgery.surgery.maps import Fresh, WidthMap, padded_identity
from nas_surgery.surgery.probe import writer_inputs

POOL = 250  # random units to pick from, or this many times the pairs wanted where that is more:
POOL_FACTOR = 4
ROUNDS = 128  # of picking; more would cost seconds where thousands of units are added
RIDGE = 1e-9  # silent and equal units make the Gram matrix of a block singular


def gradient_map(
    network: Network,
    group: Group,
    count: int,
    generator: np.random.Generator,
    probe: Array,
    labels: Array,
    loss: str,
) -> WidthMap:
    """± pairs like those of `pair_map`, of units picked from a random pool.

    The first unit is the one whose output on the probe is closest to a direction in which the loss
    would fall, the next the one closest to what the first leaves, and so on: matching pursuit
    of the gradient δ at the reader's outputs.
    """
    wanted = -(-count // 2)
    size = max(POOL, POOL_FACTOR * wanted)
    pool = centred_units(network, group, size, generator, probe)
    picked = pursuit(
        _outputs(network, group, pool, probe),
        _gradient(network, group, probe, labels, loss),
        wanted,
    )
    fresh = tuple(
        doubled(Fresh(single.kernel[..., picked], single.bias[..., picked]), count)
        for single in pool
    )
    identity = padded_identity(group.size, count)
    scale = pair_scale(network, group, probe)
    outgoing = pair_outgoing(network, group, count, generator, scale)
    return WidthMap(identity, identity.T, None, fresh, outgoing)


def pursuable(network: Network, group: Group) -> bool:
    """Whether each sample and position gives a unit one output, and the readers one gradient."""
    linear = [*group.writers, *(reader.address for reader in group.readers)]
    layers = [network.layers[address] for address in linear]
    alone = all(layer.channels.reads and not layer.window for layer in layers)
    states = any(layer.channels.recurs for layer in layers)
    return alone and not states and all(moves_on(network.layers[i]) for i in group.passers)


def pursuit(units: Array, gradient: Array, count: int, rounds: int = ROUNDS) -> Array:
    """Indices of `count` columns of units (rows, pool) that explain gradient (rows, outputs), best first.

    One is taken at a time, or as many at once as it takes to be done after `rounds`.
    """
    norms = np.linalg.norm(units, axis=0)
    normed = np.divide(units, norms, where=norms > 0, out=np.zeros_like(units))
    correlation = normed.T @ gradient
    left = np.ones(units.shape[1], bool)
    picked: list[Array] = []
    for block in np.array_split(np.arange(count), min(count, rounds)):
        strength = np.where(left, np.sum(correlation**2, axis=1), -1.0)
        best = np.argsort(-strength, kind="stable")[: len(block)]
        picked.append(best)
        left[best] = False
        taken = normed[:, best]
        gram = taken.T @ taken + RIDGE * np.eye(len(best))
        correlation -= (normed.T @ taken) @ np.linalg.solve(gram, correlation[best])
    return np.concatenate(picked)


def _outputs(network: Network, group: Group, pool: tuple[Fresh, ...], probe: Array) -> Array:
    """What the units would put out, (rows, pool)."""
    before: Array = np.zeros(1)
    for address, fresh in zip(group.writers, pool, strict=True):
        before = before + writer_inputs(network, address, probe) @ fresh.kernel + fresh.bias
    for address in group.passers:
        function = network.layers[address].elementwise
        before = before if function is None else function.value(before)
    return before


def _gradient(network: Network, group: Group, probe: Array, labels: Array, loss: str) -> Array:
    """δ at the outputs of the first reader, a row for each of the probe's samples and positions.

    Where a Flatten lies between, each position of a sample has the gradient of its whole sample.
    """
    reader = group.readers[0]
    gradient = output_gradient(network, reader.address, probe, labels, loss)
    outputs = units(network.layers[reader.address])
    return np.repeat(gradient.reshape(-1, outputs), reader.positions, axis=0)
