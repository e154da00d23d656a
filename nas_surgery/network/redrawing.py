"""New weights for a topology: what it is worth without what it has learned."""

from collections.abc import Callable
from math import prod

import numpy as np

from nas_surgery.network.initializers import INITIALIZERS
from nas_surgery.network.network import Network
from nas_surgery.network.weights import bias_of, kernel_of, with_weights


def redrawn(
    network: Network,
    draw: Callable[[int], np.random.Generator],
    initializer: str = "glorot_uniform",
) -> Network:
    """The network with fresh kernels in its linear layers, and biases of zero, as `Network.dense` makes them.

    draw: the generator of each linear layer, by its number. What is not trained, such as the scaling of
    the inputs, stays.
    """
    linear = [i for i, layer in enumerate(network.layers) if layer.channels.kernel is not None]
    fresh = {}
    for number, address in enumerate(linear):
        layer = network.layers[address]
        shape = kernel_of(layer).shape  # (in, ..., out)
        kernel = INITIALIZERS[initializer](draw(number), prod(shape[:-1]), shape[-1])
        bias = bias_of(layer)
        zero = None if bias is None else np.zeros_like(bias)
        fresh[address] = (with_weights(layer, kernel.reshape(shape), zero),)
    return network.replace(fresh)
