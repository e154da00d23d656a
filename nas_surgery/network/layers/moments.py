"""Values of which the mean is taken off and which are divided by their deviation, and what rounding does to them."""

import numpy as np

from nas_surgery.network.arrays import Array
from nas_surgery.network.roundoff import gamma

Axes = tuple[int, ...]


def normalized(x: Array, axes: Axes, epsilon: float) -> Array:
    """`(x - mean) / √(variance + epsilon)`, mean and biased variance over the axes."""
    centred = x - x.mean(axis=axes, keepdims=True)
    variance = np.square(centred).mean(axis=axes, keepdims=True)
    y: Array = centred / np.sqrt(variance + x.dtype.type(epsilon))
    return y


def error_of_normalized(x: Array, errors: Array, axes: Axes, epsilon: float, unit: float) -> Array:
    """How far `normalized` may be off where its inputs are by `errors`, in any order of its sums.

    Holds also where the variance is taken as the mean of squares less the square of the mean.
    """

    def mean(values: Array) -> Array:
        averaged: Array = values.mean(axis=axes, keepdims=True)
        return averaged

    count = int(np.prod([x.shape[axis] for axis in axes]))
    lost = gamma(count + 4, unit)
    centred, sizes = x - mean(x), np.abs(x) + errors
    off = errors + mean(errors) + lost * (sizes + mean(sizes))
    variance = mean(np.square(centred))
    spread = mean(2 * np.abs(centred) * off + np.square(off)) + 2 * lost * mean(np.square(sizes))
    least = np.sqrt(np.maximum(variance - spread, 0) + epsilon)
    usual = np.sqrt(variance + epsilon)
    carried = off / least + np.abs(centred) * (1 / least - 1 / usual)
    bound: Array = carried + gamma(4, unit) * (np.abs(centred) / usual + carried)
    return bound
