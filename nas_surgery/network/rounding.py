"""How far floating point may move the outputs of a network: a bound that holds for every order of sums.

Higham: Accuracy and Stability of Numerical Algorithms (2002), section 3.1: a sum of n products loses at
most γ_n Σ|x||w|, with γ_n = n u / (1 - n u) and the unit roundoff u.
"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from nas_surgery.network.arrays import Array
from nas_surgery.network.layers import Activation, Dense, Layer, Normalize
from nas_surgery.network.network import Network

SLOPE = 1.8  # no activation is steeper: selu has 1.758 below zero
FUNCTION = (
    16  # units roundoff of 1 + |x| that an activation may be off by, approximated as libraries do
)


def unit_roundoff(dtype: Any) -> float:
    """Half the distance from 1 to the next number of the dtype."""
    return float(np.finfo(dtype).eps) / 2


def bounded_forward(network: Network, x: ArrayLike, unit: float) -> tuple[Array, Array]:
    """Outputs of raw inputs in float64, and how far arithmetic of roundoff `unit` may be from them.

    x: (N, *input_shape), cast to the network's dtype first; both results: (N, outputs). Activations
    may be computed in float32 whatever the unit.
    """
    wide, values = network.astype(np.float64), np.asarray(x, network.dtype).astype(np.float64)
    errors: Array = np.zeros_like(values)
    for layer in wide.layers:
        errors = error_behind(layer, values, errors, unit)
        values = layer.forward(values)
    return values, errors


def error_behind(layer: Layer, x: Array, errors: Array, unit: float) -> Array:
    """Bound on the error behind a float64 layer whose inputs `x` (N, ...) are off by `errors`."""
    if isinstance(layer, Dense):
        return _sums(layer, x, errors, unit)
    if isinstance(layer, Normalize):
        carried = errors / np.abs(layer.scale)
        return carried + _gamma(3, unit) * (np.abs(layer.forward(x)) + carried)
    if isinstance(layer, Activation) and layer.function != "linear":
        coarse = max(unit, unit_roundoff(np.float32))
        return SLOPE * errors + FUNCTION * coarse * (1 + np.abs(x) + errors)
    return layer.forward(errors)


def _sums(layer: Dense, x: Array, errors: Array, unit: float) -> Array:
    sizes, weights = np.abs(x) + errors, np.abs(layer.kernel)
    total = sizes @ weights if layer.bias is None else sizes @ weights + np.abs(layer.bias)
    tiny = float(np.finfo(np.float32).tiny) * layer.fan_in  # products below it may count as zero
    bound: Array = errors @ weights + _gamma(layer.fan_in + 1, unit) * total + tiny
    return bound


def _gamma(count: int, unit: float) -> float:
    return count * unit / (1 - count * unit) if count * unit < 1 else np.inf
