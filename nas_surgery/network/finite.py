"""Whether the weights of a network are numbers."""

import numpy as np

from nas_surgery.network.errors import NetworkError
from nas_surgery.network.network import Network


def check_finite(network: Network) -> None:
    """Raise NetworkError if a weight is NaN or infinite."""
    for address, layer in enumerate(network.layers):
        for name, array in layer.arrays().items():
            if not np.isfinite(array).all():
                raise NetworkError(f"layer {address}: {name} holds NaN or infinite values")


def is_finite(network: Network) -> bool:
    """Whether every weight is finite."""
    arrays = (array for layer in network.layers for array in layer.arrays().values())
    return all(bool(np.isfinite(array).all()) for array in arrays)
