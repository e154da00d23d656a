"""Layers of every kind that reads one source, each with a shape of inputs that it takes, and networks around them.

All arrays are float32 values in float64, so that casting changes nothing.
"""

from math import prod

from nas_surgery.network import (
    ACTIVATIONS,
    GRU,
    LSTM,
    Activation,
    Add,
    Array,
    Attend,
    BatchNorm,
    Concat,
    ConcatPositions,
    Conv,
    Dropout,
    Embedding,
    Flatten,
    Layer,
    LayerNorm,
    Multiply,
    Network,
    Normalize,
    Rearrange,
    RMSNorm,
    Shape,
    Softmax,
    Token,
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


def sequences() -> list[Example]:
    """What stands in networks for sequences."""
    values = Values(3)
    normal, scale, offset = values.normal, values.normal(3), values.normal(3)
    return [
        (LayerNorm(scale, offset), (2, 3)),
        (LayerNorm(epsilon=0.25), (4, 2, 3)),
        (LayerNorm(offset=offset), (3,)),
        (RMSNorm(scale), (2, 3)),
        (RMSNorm(scale, 0.5), (4, 2, 3)),
        (Softmax(), (2, 3)),
        (Embedding(normal(5, 3)), (4,)),
        (Token(normal(2, 3)), (4, 3)),
        (Rearrange((2, 2, 3, 2), (0, 2, 1, 3), (2, 2)), (4, 6, 3)),
        (Rearrange((4, 2), (1, 0), (1, 1)), (4, 2, 3)),
        (Rearrange((8,), (0,), (1,)), (4, 2, 3)),
        (LSTM(normal(3, 4, 2), normal(2, 4, 2), normal(4, 2)), (4, 3)),
        (LSTM(normal(3, 4, 2), normal(2, 4, 2), sequences=False, reverse=True), (4, 3)),
        (GRU(normal(3, 3, 2), normal(2, 3, 2), normal(3, 2), normal(3, 2), reverse=True), (4, 3)),
        (GRU(normal(3, 3, 2), normal(2, 3, 2), None, normal(3, 2), sequences=False), (4, 3)),
        (GRU(normal(3, 3, 2), normal(2, 3, 2)), (1, 3)),
    ]


def example_layers() -> list[Example]:
    """All of them."""
    return [*simple_layers(), *convolutions(), *norms(), *sequences()]


def joined() -> dict[str, Network]:
    """Networks with joins of every kind, on images and sequences of 3 channels.

    Where a convolution stands before them, ONNX has the channels of that source first.
    """
    values, attention = Values(4), Values(5)
    image, sequence, pixel = (2, 4, 3), (4, 3), Conv(values.normal(1, 1, 3, 3), values.normal(3))

    def dense(fan_in: int, units: int) -> Layer:
        return random_dense(values.generator, fan_in, units)

    def attend(heads: int, scale: float | None, causal: bool, bias: Array | None) -> Network:
        three = [dense(3, 4), dense(3, 4), dense(3, 6)]
        layers = [*three, Attend(heads, scale, causal, bias), Flatten(), dense(24, 2)]
        return Network(sequence, layers, {1: (-1,), 2: (-1,), 3: (0, 1, 2)})

    def three(join: Layer, width: int) -> Network:
        layers = [pixel, dense(3, 3), join, Flatten(), dense(width, 2)]
        return Network(image, layers, {1: (-1,), 2: (1, 0, -1)})

    def gate(join: Layer, sources: tuple[int, int]) -> Network:
        layers = [pixel, Flatten(), dense(24, 3), join, Flatten(), dense(24, 2)]
        return Network(image, layers, {3: sources})

    windows = Rearrange((2, 2, 2), (1, 0, 2), (1, 2))
    return {
        **{f"{join.kind} of three": three(join, 24) for join in (Add(), Multiply())},
        "concat of three": three(Concat(), 72),
        "positions of three": three(ConcatPositions(1), 72),
        "gated": gate(Multiply(), (0, 2)),
        "gated, the gate first": gate(Multiply(), (2, 0)),
        "gated input": gate(Multiply(), (-1, 2)),
        "a sum with a vector": gate(Add(), (2, 0)),
        "attention": attend(2, None, False, None),
        "attention that is scaled and causal": attend(1, 0.3, True, None),
        "attention with a bias": attend(2, None, True, attention.normal(2, 4, 4)),
        "attention with one bias for all heads": attend(2, 0.5, False, attention.normal(1, 4, 4)),
        "attention in windows": Network(
            image,
            [windows, Attend(1), Flatten(), dense(24, 2)],
            {1: (0, 0, 0)},
        ),
        "attention to others": Network(
            sequence,
            [ConcatPositions(), Attend(3), Flatten(), dense(12, 2)],
            {0: (-1, -1), 1: (-1, 0, 0)},
        ),
    }


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
