"""Residual blocks: put behind a layer where they start at zero, or taken away."""

import attrs
import numpy as np

from nas_surgery.network import (
    INITIALIZERS,
    Activation,
    Add,
    Array,
    Dense,
    Layer,
    Network,
    Outputs,
    kernel_of,
    own,
    with_weights,
)
from nas_surgery.network.wires import moved
from nas_surgery.surgery.depth import function_behind, last_elementwise

USUAL = "relu"  # where no activation stands before the block


def insert_block(
    network: Network, address: int, units: int, generator: np.random.Generator
) -> Network:
    """x + B f(A x + a) behind a hidden layer and what is elementwise there, with B = 0.

    A and B are of the layer's kind, with `units` channels between; f is the activation before them.
    """
    behind = last_elementwise(network, address)
    first, second = _weighing(network, address, behind, units, generator)
    function = Activation(function_behind(network, address) or USUAL)
    added: list[Layer] = [first, function, second, Add()]
    counts = [1 + len(added) * (i == behind) for i in range(len(network.layers))]
    wires = moved(network.sources, counts)
    wires[behind + len(added)] = (behind, behind + len(added) - 1)
    layers = [*network.layers[: behind + 1], *added, *network.layers[behind + 1 :]]
    return attrs.evolve(network, layers=layers, wires=wires)


def without(network: Network, address: int, kept: int) -> tuple[Network, dict[int, int]]:
    """The network in which whoever read a join reads its source `kept`, without what nobody reads then.

    And where each layer of before stands now.
    """
    sources = [
        tuple(kept if source == address else source for source in held) for held in network.sources
    ]
    gone = _unread(sources, address)
    left = [i for i in range(len(sources)) if i not in gone]
    place = {-1: -1, **{old: new for new, old in enumerate(left)}}
    wires = {place[i]: tuple(place[source] for source in sources[i]) for i in left}
    layers = [network.layers[i] for i in left]
    return attrs.evolve(network, layers=layers, wires=wires), place


def readers_behind(network: Network, address: int) -> list[int]:
    """The layers that weigh what a layer puts out, through those that let it pass."""
    found, open_ends = [], {address}
    for i, held in enumerate(network.sources):
        if open_ends.isdisjoint(held):
            continue
        if network.layers[i].channels.reads:
            found.append(i)
        elif network.layers[i].channels.outputs is not Outputs.FROZEN:
            open_ends.add(i)
    return found


def _unread(sources: list[tuple[int, ...]], address: int) -> set[int]:
    """The layer, and all that nobody reads once it is gone."""
    gone = {address}
    for i in reversed(range(len(sources) - 1)):
        read = any(i in held for j, held in enumerate(sources) if j not in gone)
        if not read:
            gone.add(i)
    return gone


def _weighing(
    network: Network, address: int, behind: int, units: int, generator: np.random.Generator
) -> tuple[Layer, Layer]:
    """Two layers of the kind of the one at `address`: to so many units, He normal, and back, zero."""
    shape = network.shapes[behind + 1]
    matrix = Dense(own(np.eye(shape[-1], dtype=network.dtype)))
    plain = network.layers[address].identity(shape, network.dtype) or matrix
    window = kernel_of(plain).shape[1:-1]
    fan = kernel_of(plain).size // shape[-1]
    drawn = INITIALIZERS["he_normal"](generator, fan, units)
    first = with_weights(plain, drawn.reshape(shape[-1], *window, units), np.zeros(units))
    back: Array = np.zeros((units, *window, shape[-1]))
    return first, with_weights(plain, back, np.zeros(shape[-1]))
