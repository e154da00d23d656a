"""Layers of every kind that reads one source, each with a shape of inputs that it takes, and networks around them.

All arrays are float32 values in float64, so that casting changes nothing.
"""

from math import prod

from nas_surgery.network import (
    ACTIVATIONS,
    FUNCTIONS,
    GRU,
    LSTM,
    Activation,
    Add,
    Array,
    Attend,
    AveragePool,
    BatchNorm,
    Concat,
    ConcatPositions,
    Conv,
    ConvTranspose,
    Crop,
    DepthToSpace,
    Dropout,
    Embedding,
    Flatten,
    GlobalAveragePool,
    GlobalMaxPool,
    GroupNorm,
    InstanceNorm,
    Layer,
    LayerNorm,
    MaxPool,
    Multiply,
    Network,
    Normalize,
    Pad,
    PReLU,
    Rearrange,
    Resize,
    RMSNorm,
    Scale,
    Select,
    Shape,
    Shift,
    Softmax,
    SpaceToDepth,
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


def norms_of_samples() -> list[Example]:
    """By what each sample holds itself."""
    values = Values(6)
    scale, offset = values.normal(4), values.normal(4)
    return [
        (InstanceNorm(scale, offset), (3, 2, 4)),
        (InstanceNorm(epsilon=0.1), (5, 4)),
        (GroupNorm(2, scale, offset), (3, 2, 4)),
        (GroupNorm(1, scale=scale), (4,)),
        (GroupNorm(4, offset=offset), (2, 1, 3, 4)),
    ]


def channelwise() -> list[Example]:
    """Weights that meet each channel by itself."""
    normal = Values(7).normal
    return [
        (Scale(normal(3)), (2, 3)),
        (Scale(normal(1)), (4, 2, 3)),
        (Shift(normal(3)), (3,)),
        (Shift(normal(4, 1, 3)), (4, 2, 3)),
        (PReLU(normal(3)), (4, 2, 3)),
        (PReLU(normal(1)), (3,)),
    ]


def parametrised() -> list[Example]:
    """Functions beyond the usual ones, and those with parameters."""
    functions = [
        *(Activation(name) for name in FUNCTIONS if name not in (*ACTIVATIONS, "clip")),
        *(Activation("leaky_relu", alpha=alpha) for alpha in (0.3, -2.0)),
        Activation("elu", alpha=2.5),
        Activation("celu", alpha=0.5),
        Activation("clip", low=-0.5, high=1.5),
        Activation("clip", low=-1),
        Activation("clip", high=0.25),
    ]
    return [(function, (2, 3)) for function in functions]


def enlarging() -> list[Example]:
    """Transposed convolutions."""
    normal = Values(8).normal
    return [
        (ConvTranspose(normal(3, 2, 4), normal(4)), (4, 2)),
        (ConvTranspose(normal(2, 2, 2, 3), normal(3), strides=2), (3, 4, 2)),
        (ConvTranspose(normal(3, 3, 2, 3), None, 2, 1, 1, 1), (3, 2, 2)),
        (ConvTranspose(normal(3, 2, 3, 2), normal(2), (2, 1), (1, 2), [(0, 2), 1]), (3, 4, 3)),
        (ConvTranspose(normal(2, 2, 2, 1, 2), normal(2), strides=(1, 2, 1)), (2, 3, 2, 1)),
    ]


def pools() -> list[Example]:
    """Windows and whole inputs; padding, rests, and windows over the edge."""
    return [
        (MaxPool((2,)), (5, 3)),
        (MaxPool((2, 3), strides=(2, 1), padding="same"), (5, 4, 3)),
        (MaxPool((3, 2), 2, [(1, 2), 1], ceil=True), (5, 4, 3)),
        (MaxPool((2, 2), 1, 1, dilations=(2, 1)), (5, 4, 3)),
        (MaxPool((2, 1, 2)), (4, 2, 3, 2)),
        (AveragePool((2, 2)), (5, 4, 3)),
        (AveragePool((3, 3), 2, "same"), (6, 5, 3)),
        (AveragePool((3,), 2, 1, count_padding=True), (6, 3)),
        (AveragePool((3, 2), 2, [(1, 2), 1], ceil=True), (6, 3, 3)),
        (AveragePool((3, 2), 2, [(1, 2), 1], ceil=True, count_padding=True), (6, 3, 3)),
        (AveragePool((2, 2, 1), padding="same"), (3, 2, 2, 2)),
        (GlobalAveragePool(), (4, 2, 3)),
        (GlobalAveragePool(keep=True), (4, 3)),
        (GlobalMaxPool(), (2, 3, 2, 3)),
        (GlobalMaxPool(keep=True), (4, 2, 3)),
    ]


def movements() -> list[Example]:
    """What adds, drops or moves positions, or chooses channels."""
    resizes = [
        Resize((7, 4), coordinates="half_pixel", rounding="round_prefer_floor"),
        Resize((8, 9)),
        Resize((5, 5), coordinates="align_corners"),
        Resize((2, 1), "linear", "pytorch_half_pixel"),
        Resize((8, 6), "linear", "half_pixel"),
        Resize((6, 7), "linear", "align_corners"),
        Resize((3, 5), "linear"),
    ]
    return [
        (Pad([(1, 2)]), (3, 3)),
        (Pad([1, (0, 2)], "reflect"), (3, 4, 3)),
        (Pad([(2, 0), (0, 0)], "edge"), (3, 4, 3)),
        (Pad([0, 1, (1, 0)], value=-1.5), (2, 3, 2, 2)),
        (Crop(1, [4, None], (1, 2)), (5, 6, 3)),
        (Crop((0,), (2,)), (4, 3)),
        *((resize, (4, 3, 3)) for resize in resizes),
        (Resize((7,), "linear", "half_pixel"), (4, 3)),
        (Resize((8,)), (4, 3)),
        (Resize((4, 6, 2), "linear", "half_pixel"), (2, 3, 2, 2)),
        (Resize((4, 6, 5)), (2, 3, 5, 2)),
        (Select((2, 0, 2, 1)), (4, 2, 3)),
        (Select((1, 2)), (2, 3)),
        (SpaceToDepth(2), (4, 6, 3)),
        (SpaceToDepth(2, "channels_outer"), (2, 4, 3)),
        (DepthToSpace(2), (3, 2, 8)),
        (DepthToSpace(2, "channels_outer"), (3, 2, 8)),
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
    spatial = [*convolutions(), *enlarging(), *pools(), *movements()]
    weighed = [*norms(), *norms_of_samples(), *channelwise(), *parametrised()]
    return [*simple_layers(), *spatial, *weighed, *sequences()]


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
        "attention in windows with a bias of each": Network(
            image,
            [windows, Attend(3, bias=attention.normal(2, 3, 4, 4)), Flatten(), dense(24, 2)],
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
