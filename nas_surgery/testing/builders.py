"""Networks and samples for tests: random, reproducible, the same numbers in float32 and float64."""

import attrs
import numpy as np
from numpy.typing import DTypeLike

from nas_surgery.network import Activation, Array, Dense, Layer, Network, Shape, keyed_generator
from nas_surgery.training.state import Samples


@attrs.frozen
class Unbiased:
    """A linear layer of `units` without a bias, for `build`."""

    units: int


Item = int | str | Unbiased | Layer


def build(
    input_shape: int | Shape, *items: Item, seed: int = 0, dtype: DTypeLike = np.float64
) -> Network:
    """A network from a line of items: 5 is a Dense of 5 units, "relu" an Activation, a layer itself.

    Weights are random and float32 values, so that casting the network changes nothing; biases are
    not zero, so that a lost one is noticed.
    """
    layers: list[Layer] = []
    shape = (input_shape,) if isinstance(input_shape, int) else input_shape
    for item in items:
        layer = _layer(item, shape, keyed_generator(seed, "test layer", len(layers)))
        shape = layer.output_shape(shape)
        layers.append(layer)
    return Network(input_shape, tuple(layers)).astype(dtype)


def random_dense(
    generator: np.random.Generator, fan_in: int, units: int, bias: bool = True
) -> Dense:
    """A float64 Dense whose outputs have about the scale of its inputs."""
    kernel = exact_in_float32(generator.normal(0, fan_in**-0.5, (fan_in, units)))
    return Dense(kernel, exact_in_float32(generator.normal(0, 0.3, units)) if bias else None)


def exact_in_float32(values: Array) -> Array:
    """The nearest values that float32 holds, as float64."""
    return values.astype(np.float32).astype(np.float64)


def labelled(
    network: Network, count: int, *, loss: str = "cross_entropy", seed: int = 0
) -> Samples:
    """`count` random raw samples for the network, with class indices or regression targets."""
    generator = keyed_generator(seed, "test samples")
    x = generator.normal(size=(count, *network.input_shape)).astype(np.float32)
    outputs = network.output_shape[0]
    if loss == "cross_entropy":
        return Samples(x, generator.integers(outputs, size=count))
    return Samples(x, generator.normal(size=(count, outputs)).astype(np.float32))


def _layer(item: Item, shape: Shape, generator: np.random.Generator) -> Layer:
    if isinstance(item, Layer):
        return item
    if isinstance(item, str):
        return Activation(item)
    if isinstance(item, Unbiased):
        return random_dense(generator, shape[-1], item.units, bias=False)
    return random_dense(generator, shape[-1], item)
