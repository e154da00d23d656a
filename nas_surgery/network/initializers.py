"""Initial weights, drawn in NumPy so that every backend starts from the same numbers."""

from collections.abc import Callable

import numpy as np

from nas_surgery.network.arrays import Array


def glorot_uniform(generator: np.random.Generator, fan_in: int, fan_out: int) -> Array:
    """Glorot & Bengio 2010: uniform in ±sqrt(6 / (fan_in + fan_out)), the default of Keras. (in, out)"""
    limit = np.sqrt(6.0 / (fan_in + fan_out))
    return generator.uniform(-limit, limit, (fan_in, fan_out))


def he_normal(generator: np.random.Generator, fan_in: int, fan_out: int) -> Array:
    """He et al. 2015: normal with variance 2 / fan_in, made for ReLU. (in, out)"""
    return generator.normal(0.0, np.sqrt(2.0 / fan_in), (fan_in, fan_out))


Initializer = Callable[[np.random.Generator, int, int], Array]

INITIALIZERS: dict[str, Initializer] = {
    function.__name__: function for function in (glorot_uniform, he_normal)
}
