"""Layers of every kind that reads one source, each with a shape of inputs that it takes, and networks around them.

All arrays are float32 values in float64, so that casting changes nothing.
"""

from math import prod

from nas_surgery.network import (
    ACTIVATIONS,
    Activation,
    Array,
    BatchNorm,
    Conv,
    Dropout,
    Flatten,
    Layer,
    Network,
    Normalize,
    Shape,
    keyed_generator,
)
from nas_surgery.testing.builders import exact_in_float32, random_dense

Example = tuple[Layer, Shape]


class Values:
    """Reproducible arrays for layers."""

    def __init__(self, seed: int) -> None:
        self.generator = keyed_generator(seed, "example layers")

    def normal(self, *shape: int) -> Array:
        return exact_in_float32(self.generator.normal(size=shape))

    def positive(self, *shape: int) -> Array:
        return exact_in_float32(self.generator.uniform(0.5, 2, shape))


def simple_layers() -> list[Example]:
    """What dense chains are made of."""
    values = Values(0)
    dense = [random_dense(values.generator, 3, 4, bias) for bias in (True, False)]
    return [
        *((layer, shape) for layer in dense for shape in ((3,), (2, 3))),
        *((Activation(name), (2, 3)) for name in ACTIVATIONS),
        (Flatten(), (3,)),
        (Flatten(), (4, 2, 3)),
        (Dropout(0.4), (2, 3)),
        (Normalize(values.normal(3), values.positive(3)), (2, 3)),
    ]


def convolutions() -> list[Example]:
    """From one to three axes, with all that they may say."""
    normal = Values(1).normal
    return [
        (Conv(normal(3, 2, 4), normal(4)), (6, 2)),
        (Conv(normal(2, 3, 2, 4), normal(4), padding="same"), (5, 4, 2)),
        (Conv(normal(3, 3, 2, 3), strides=2, padding="same"), (5, 6, 2)),
        (Conv(normal(3, 2, 3, 2), normal(2), (2, 1), (1, 2), [(2, 1), (0, 1)]), (4, 5, 3)),
        (Conv(normal(2, 2, 2, 2, 3), normal(3), padding=1), (3, 4, 2, 2)),
        (Conv(normal(1, 1, 3, 2), normal(2)), (3, 2, 3)),
        (Conv(normal(2, 2, 2, 6), normal(6), groups=2), (3, 4, 4)),
        (Conv(normal(3, 3, 1, 4), normal(4), padding=1, groups=4), (3, 4, 4)),
        (Conv(normal(2, 1, 3), strides=2, groups=3), (6, 3)),
        (Conv(normal(2, 1, 6), normal(6), groups=3), (5, 3)),
    ]


def norms() -> list[Example]:
    """What brings channels to a scale."""
    values = Values(2)
    mean, variance, scale, offset = (
        values.normal(3),
        values.positive(3),
        values.normal(3),
        values.normal(3),
    )
    return [
        (BatchNorm(mean, variance, scale, offset), (3,)),
        (BatchNorm(mean, variance, offset=offset, epsilon=0.5), (4, 2, 3)),
        (BatchNorm(mean, variance, scale=scale, momentum=0.01), (4, 3)),
    ]


def example_layers() -> list[Example]:
    """All of them."""
    return [*simple_layers(), *convolutions(), *norms()]


def around(layer: Layer, shape: Shape) -> Network:
    """The layer and a Dense that weighs all of what it gives."""
    outputs = prod(layer.output_shape(shape))
    head = random_dense(keyed_generator(0, "head"), outputs, 2)
    behind = [] if len(layer.output_shape(shape)) == 1 else [Flatten()]
    return Network(shape, [layer, *behind, head])


def usual(layer: Layer, shape: Shape, count: int, seed: int = 0) -> Array:
    """Inputs such as the layer expects, (count, *shape)."""
    values = keyed_generator(seed, "inputs of a layer").normal(size=(count, *shape))
    return layer.usual_inputs(exact_in_float32(2 * values))
