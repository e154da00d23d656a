"""The channels inside the heads of attention, turned so that the first of them matter most.

Scores q kᵀ stay what they are under q M, k M⁻ᵀ for any invertible M, and what a head reads of values
under v M where its readers take M⁻¹. So each head's channels are turned into directions in descending
order of what they contribute on a probe; whichever go, the last of each head are the cheapest.
"""

from collections.abc import Sequence

import numpy as np
from scipy import linalg

from nas_surgery.network import (
    Array,
    Group,
    Layer,
    Network,
    Outputs,
    bias_of,
    kernel_of,
    with_weights,
)

TINY = 1e-6  # directions that are this much weaker than the strongest count as unused


def turned_heads(network: Network, probe: Array) -> tuple[Network, dict[int, Array]]:
    """The network with turned heads, equal in function, and for each turned group its strengths.

    These are by the group's first writer: how much each channel contributes, (size,), in units of the
    outputs' power, so that what is left of the squares tells what dropping the others loses. Groups that
    other layers concern too are left as they are.
    """
    strengths: dict[int, Array] = {}
    for address, layer in enumerate(network.layers):
        if layer.channels.outputs is not Outputs.ATTEND:
            continue
        queries, keys, values = network.sources[address]
        found = {writer: group for group in network.groups() for writer in group.writers}
        if found.get(queries) is not None and _alone(found[queries], (queries, keys), address):
            network, powers = _turned_scores(network, address, layer.blocks, probe)
            strengths[found[queries].writers[0]] = powers
        group = found.get(values)
        if group is not None and _read_once(group, values, address):
            network, powers = _turned_values(network, address, group, layer.blocks, probe)
            strengths[values] = powers
    return network, strengths


def _alone(group: Group, writers: Sequence[int], end: int) -> bool:
    """Whether these two layers write the group, and only scores are made of it."""
    return (
        sorted(group.writers) == sorted(writers) and group.passers == (end,) and not group.readers
    )


def _read_once(group: Group, writer: int, address: int) -> bool:
    whole = len(group.readers) == 1 and group.readers[0].starts is None and not group.scattered
    return group.writers == (writer,) and group.passers == (address,) and whole


def _turned_scores(
    network: Network, address: int, heads: int, probe: Array
) -> tuple[Network, Array]:
    """q' = q Cq^½⁻¹ U √S and k' = k Ck^½⁻¹ V √S, with U S Vᵀ of Cq^½ Ck^½ for each head.

    Cq and Ck are the second moments of its queries and keys, so S² is the power of each part of the scores.
    """
    queries, keys, _ = network.sources[address]
    q, k = (_moments(network, source, heads, probe) for source in (queries, keys))
    maps_q, maps_k, powers = [], [], []
    for cq, ck in zip(q, k, strict=True):
        (root_q, inverse_q), (root_k, inverse_k) = _roots(cq), _roots(ck)
        left, values, right = linalg.svd(root_q @ root_k)
        scale = np.sqrt(np.maximum(values, TINY * values[0] if values[0] > 0 else 1.0))
        maps_q.append(inverse_q @ left * scale)
        maps_k.append(inverse_k @ right.T * scale)
        powers.append(values)
    changes = {
        queries: (_mapped(network.layers[queries], maps_q),),
        keys: (_mapped(network.layers[keys], maps_k),),
    }
    return network.replace(changes), np.concatenate(powers)


def _turned_values(
    network: Network, address: int, group: Group, heads: int, probe: Array
) -> tuple[Network, Array]:
    """v' = v M for each head, and M⁻¹ for the reader, with M the directions of its outputs on the probe
    that the reader makes most of."""
    reader = group.readers[0].address
    values = network.sources[address][2]
    seen = _moments(network, address, heads, probe)
    kernel = kernel_of(network.layers[reader]).astype(np.float64)
    parts = kernel.reshape(heads, -1, kernel[0].size)
    maps, back, powers = [], [], []
    for moment, part in zip(seen, parts, strict=True):
        root, inverse = _roots(moment)
        left, strength, _ = linalg.svd(root @ part, full_matrices=True)
        size = len(root)
        maps.append(inverse @ left)
        back.append(left.T @ root)
        powers.append(np.pad(strength, (0, max(0, size - len(strength))))[:size])
    turned = np.stack([b @ part for b, part in zip(back, parts, strict=True)])
    layer = with_weights(
        network.layers[reader], turned.reshape(kernel.shape), bias_of(network.layers[reader])
    )
    changes = {values: (_mapped(network.layers[values], maps),), reader: (layer,)}
    return network.replace(changes), np.concatenate(powers)


def _moments(network: Network, address: int, heads: int, probe: Array) -> Array:
    """Second moments of a layer's outputs on the probe, for each head, (heads, d, d)."""
    values = network.forward(probe, stop=address + 1).astype(np.float64)
    rows = values.reshape(-1, heads, values.shape[-1] // heads).swapaxes(0, 1)
    moments: Array = rows.swapaxes(1, 2) @ rows / rows.shape[1]
    return moments


def _roots(moment: Array) -> tuple[Array, Array]:
    """The symmetric root of a matrix and its inverse; weak directions are taken for stronger ones."""
    values, vectors = linalg.eigh(moment)
    strong = np.sqrt(np.maximum(values, TINY * max(float(values[-1]), np.finfo(np.float64).tiny)))
    return vectors * strong @ vectors.T, vectors / strong @ vectors.T


def _mapped(layer: Layer, maps: Sequence[Array]) -> Layer:
    """The writer with its outputs turned head by head."""
    matrix = linalg.block_diag(*maps)
    bias = bias_of(layer)
    turned = None if bias is None else bias.astype(np.float64) @ matrix
    return with_weights(layer, kernel_of(layer).astype(np.float64) @ matrix, turned)
