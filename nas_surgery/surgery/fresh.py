"""New units for a group: none of them changes what the network computes."""

from math import prod

import numpy as np

from nas_surgery.network import (
    INITIALIZERS,
    Array,
    Group,
    Network,
    Shape,
    bias_of,
    fan_in,
    kernel_of,
)
from nas_surgery.surgery.maps import Fresh, WidthMap, padded_identity
from nas_surgery.surgery.probe import writer_inputs

# Outgoing weights of a pair are drawn with this much of a usual layer's scale: enough that both
# units learn from the first step, and less where large inputs make their outputs large.
PAIR_STRENGTH = 20.0
PAIR_SCALE = (0.5, 2.0)


def zero_map(
    network: Network, group: Group, count: int, generator: np.random.Generator, probe: Array | None
) -> WidthMap:
    """`count` centred units whose outgoing weights are zero."""
    fresh = centred_units(network, group, count, generator, probe)
    identity = padded_identity(group.size, count)
    return WidthMap(identity, identity.T, None, fresh)


def pair_map(
    network: Network, group: Group, count: int, generator: np.random.Generator, probe: Array | None
) -> WidthMap:
    """Centred units, each of them twice, with outgoing weights +v and -v; an odd one out has zeros.

    v ~ N(0, s² / fan-in of the reader), s = clip(20 / sqrt(E‖a‖²), .5, 2) over the writer's inputs a.
    """
    fresh = tuple(
        doubled(single, count)
        for single in centred_units(network, group, -(-count // 2), generator, probe)
    )
    identity = padded_identity(group.size, count)
    outgoing = pair_outgoing(network, group, count, generator, pair_scale(network, group, probe))
    return WidthMap(identity, identity.T, None, fresh, outgoing)


def centred_units(
    network: Network, group: Group, count: int, generator: np.random.Generator, probe: Array | None
) -> tuple[Fresh, ...]:
    """`count` units for each writer: He normal kernels, biases that centre them on the probe.

    A unit that is centred is active on about half of the samples, whatever the inputs' mean. Biases
    are zero without a probe, and where the writer has none.
    """
    return tuple(_centred(network, address, count, generator, probe) for address in group.writers)


def _centred(
    network: Network, address: int, count: int, generator: np.random.Generator, probe: Array | None
) -> Fresh:
    writer = network.layers[address]
    shape = (*kernel_of(writer).shape[:-1], count)
    fan = fan_in(writer) * prod(writer.window)
    kernel = INITIALIZERS["he_normal"](generator, fan, prod(shape) // fan).reshape(shape)
    held = bias_of(writer)
    bias = np.zeros((*(() if held is None else held.shape[:-1]), count))
    if probe is None or held is None or not writer.weighs_rows:
        return Fresh(kernel, bias)
    centre = -writer_inputs(network, address, probe).mean(axis=0) @ kernel.reshape(fan, -1)
    return Fresh(kernel, centre.reshape(bias.shape))


def doubled(single: Fresh, count: int) -> Fresh:
    """The units u₁ … u_p as u₁ … u_p, u₁ … u_p, cut to `count`, except that an odd u_p stands last."""
    pairs = count // 2
    order = np.concatenate(
        [np.arange(pairs), np.arange(pairs), np.arange(pairs, pairs + count % 2)]
    )
    return Fresh(single.kernel[..., order], single.bias[..., order])


def pair_outgoing(
    network: Network, group: Group, count: int, generator: np.random.Generator, scale: float
) -> tuple[Array, ...]:
    """Outgoing weights of `doubled` units for each reader, (positions, count, ..., units)."""
    added = []
    for reader in group.readers:
        layer = network.layers[reader.address]
        weights = _signed(generator, reader.positions, count, kernel_of(layer).shape[1:])
        fan = reader.positions * prod(layer.window) * (group.size + count)
        added.append(weights * (scale / np.sqrt(fan)))
    return tuple(added)


def _signed(generator: np.random.Generator, positions: int, count: int, rest: Shape) -> Array:
    half = generator.normal(size=(positions, count // 2, *rest))
    return np.concatenate([half, -half, np.zeros((positions, count % 2, *rest))], axis=1)


def pair_scale(network: Network, group: Group, probe: Array | None) -> float:
    """s; 1 without a probe."""
    if probe is None or not network.layers[group.writers[0]].weighs_rows:
        return 1.0
    inputs = writer_inputs(network, group.writers[0], probe)
    norm = np.sqrt(np.mean(np.sum(inputs * inputs, axis=1)))
    return float(np.clip(PAIR_STRENGTH / max(norm, 1e-12), *PAIR_SCALE))
