"""Between the standardised targets that a regression trains on and the user's own units."""

import numpy as np

from nas_surgery.errors import NetworkError
from nas_surgery.network import (
    Array,
    Layer,
    Network,
    Outputs,
    Passes,
    bias_of,
    kernel_of,
    units,
    with_weights,
)


def in_target_units(network: Network, mean: Array | None, scale: Array | None) -> Network:
    """The network whose outputs are `outputs * scale + mean`, by changing its last linear layer.

    mean, scale: (outputs,), or None for a network whose outputs are in their own units already.
    Raises NetworkError where no linear layer writes the outputs.
    """
    if mean is None or scale is None:
        return network
    address = output_layer(network)
    layer = network.layers[address]
    kernel, held = kernel_of(layer).astype(np.float64), bias_of(layer)
    bias = np.zeros(units(layer)) if held is None else held.astype(np.float64)
    scaled = with_weights(layer, kernel * scale, bias * scale + mean)
    return network.replace({address: (scaled,)})


def in_training_units(
    network: Network, mean: Array | None, scale: Array | None, x: Array, y: Array
) -> Network:
    """The network, in standardised targets if it has been trained on targets in the user's own units.

    mean, scale: as for `in_target_units`. x: raw samples (N, ...); y: their standardised targets
    (N, outputs). Whichever units its outputs are nearer in are taken for those it was trained in.
    """
    if mean is None or scale is None:
        return network
    scaled = in_target_units(network, -mean / scale, 1 / scale)
    return scaled if _error(scaled, x, y) < _error(network, x, y) else network


def _error(network: Network, x: Array, y: Array) -> float:
    return float(np.mean((network.forward(x).astype(np.float64) - y) ** 2))


def output_layer(network: Network) -> int:
    """Address of the linear layer that writes the outputs themselves, one weight column for each.

    Raises NetworkError where an activation, or a Flatten of several positions, stands behind it: its
    weights cannot put the outputs into other units.
    """
    outputs = [layer.channels.outputs for layer in network.layers]
    address = max(i for i, made in enumerate(outputs) if made is Outputs.FRESH)
    for behind in range(address + 1, len(network.layers)):
        layer = network.layers[behind]
        if layer.passes is not Passes.ANY or network.shapes[behind] != network.output_shape:
            raise NetworkError(
                "targets are standardised while a network trains, so a regression needs one that ends in"
                f" a linear layer of its own outputs; layer {behind} is {_named(layer)}"
            )
    return address


def _named(layer: Layer) -> str:
    function = layer.elementwise
    return f"a {type(layer).__name__}" if function is None else function.name
