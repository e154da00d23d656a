"""How far floating point may move the outputs of a network: a bound that holds for every order of sums."""

import numpy as np
from numpy.typing import ArrayLike

from nas_surgery.network.arrays import Array
from nas_surgery.network.network import Network
from nas_surgery.network.wires import walk


def bounded_forward(network: Network, x: ArrayLike, unit: float) -> tuple[Array, Array]:
    """Outputs of raw inputs in float64, and how far arithmetic of roundoff `unit` may be from them.

    x: (N, *input_shape), cast to the network's dtype first; both results: (N, *output_shape). Activations
    may be computed in float32 whatever the unit.
    """
    wide, values = network.astype(np.float64), np.asarray(x, network.dtype).astype(np.float64)

    def behind(address: int, *inputs: tuple[Array, Array]) -> tuple[Array, Array]:
        layer, (xs, off) = wide.layers[address], zip(*inputs, strict=True)
        return layer.forward(*xs), layer.errors_behind(xs, off, unit)

    return walk(wide.sources, (values, np.zeros_like(values)), behind)
