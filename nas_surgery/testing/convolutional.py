"""Hypothesis strategies: small networks of convolutions and of what stands beside them."""

from hypothesis import strategies as st

from nas_surgery.network import (
    Activation,
    Add,
    Array,
    AveragePool,
    BatchNorm,
    Concat,
    Conv,
    Crop,
    Flatten,
    GlobalAveragePool,
    InstanceNorm,
    Layer,
    MaxPool,
    Network,
    Pad,
    PReLU,
    Scale,
    Select,
    Shape,
    Shift,
)
from nas_surgery.testing.builders import exact_in_float32, random_dense
from nas_surgery.testing.layers import Values
from nas_surgery.testing.networks import activations, seeds
from nas_surgery.testing.wiring import Wiring

KINDS = [
    "conv",
    "conv",
    "depthwise",
    "norm",
    "activation",
    "pool",
    "weights",
    "move",
    "block",
    "concat",
]
LONGEST = 9  # positions along an axis


@st.composite
def convolutions(draw: st.DrawFn, positions: Shape, channels: int, values: Values) -> Conv:
    """A convolution that fits so many positions and channels, with any settings."""
    groups = draw(st.sampled_from([n for n in range(1, channels + 1) if channels % n == 0]))
    out = groups * draw(st.integers(1, 3))
    dilations = tuple(draw(st.integers(1, 2)) for _ in positions)
    window = tuple(
        draw(st.integers(1, min(3, (n - 1) // d + 1)))
        for n, d in zip(positions, dilations, strict=True)
    )
    pair = st.tuples(st.integers(0, 2), st.integers(0, 2))
    padding = draw(st.sampled_from(["same", "valid"]) | st.tuples(*(pair for _ in positions)))
    strides = tuple(draw(st.integers(1, 3)) for _ in positions)
    fan_in = channels // groups
    kernel = values.normal(*window, fan_in, out) / 4
    bias = values.normal(out) if draw(st.booleans()) else None
    return Conv(exact_in_float32(kernel), bias, strides, dilations, padding, groups)


@st.composite
def layers(draw: st.DrawFn, kind: str, shape: Shape, values: Values) -> Layer:
    """A layer of that kind on inputs of that shape, which have positions."""
    *positions, channels = shape
    if kind == "conv":
        return draw(convolutions(tuple(positions), channels, values))
    if kind == "depthwise":
        kernel = values.normal(*(1 for _ in positions), 1, channels)
        return Conv(kernel, values.normal(channels), groups=channels)
    if kind == "norm":
        scale, offset = values.normal(channels), values.normal(channels)
        norm = BatchNorm(values.normal(channels), values.positive(channels), scale, offset)
        alone = max(positions) == 1  # of which nothing is left
        return norm if alone or draw(st.booleans()) else InstanceNorm(scale, offset)
    if kind == "activation":
        return Activation(draw(activations))
    if kind == "weights":
        array = values.normal(channels)
        return draw(st.sampled_from([PReLU(array), Scale(array), Shift(array)]))
    if kind == "pool":
        window = tuple(draw(st.integers(1, min(2, n))) for n in positions)
        settings = draw(st.integers(1, 2)), draw(st.sampled_from(["same", "valid"]))
        if draw(st.booleans()):
            return MaxPool(window, *settings, ceil=draw(st.booleans()))
        return AveragePool(window, *settings, draw(st.booleans()), draw(st.booleans()))
    if draw(st.booleans()):
        order = draw(st.permutations(range(channels)))
        return Select(tuple(order[: draw(st.integers(1, channels))]))
    if max(positions) < LONGEST:
        amounts = [draw(st.tuples(st.integers(0, 2), st.integers(0, 2))) for _ in positions]
        return Pad(amounts, value=draw(st.sampled_from([0.0, 0.0, 1.5])))
    return Crop(0, [n - n // 2 for n in positions])


def _residual(drawn: Wiring, source: int, values: Values) -> None:
    """A sum of a tensor and of two convolutions of it."""
    *positions, channels = drawn.shapes[source]
    window, last = tuple(min(3, n) for n in positions), source
    for fan_in, out in ((channels, 2), (2, channels)):
        kernel = exact_in_float32(values.normal(*window, fan_in, out) / 4)
        last = drawn.add(Conv(kernel, values.normal(out), padding="same"), last)
    drawn.add(Add(), source, last)


@st.composite
def convolutional(draw: st.DrawFn, max_steps: int = 6) -> Network:
    """A float64 network of float32 values on one to three position axes, with two outputs: convolutions of
    every kind, norms, pools, weights per channel, residual blocks and concatenations."""
    rank = draw(st.sampled_from([2, 2, 1, 3]))
    shape = (*(draw(st.integers(1, 6 - rank)) for _ in range(rank)), draw(st.integers(1, 4)))
    drawn, values = Wiring(shape), Values(draw(seeds))
    last = drawn.add(draw(convolutions(shape[:-1], shape[-1], values)), -1)
    for _ in range(draw(st.integers(0, max_steps))):
        kind, shape = draw(st.sampled_from(KINDS)), drawn.shapes[last]
        if kind == "block":
            _residual(drawn, last, values)
        elif kind == "concat":
            alike = [a for a, other in drawn.shapes.items() if other[:-1] == shape[:-1]]
            drawn.add(Concat(), last, draw(st.sampled_from(alike)))
        else:
            drawn.add(draw(layers(kind, shape, values)), last)
        last = len(drawn.layers) - 1
    last = drawn.add(draw(st.sampled_from([Flatten(), GlobalAveragePool()])), last)
    drawn.add(random_dense(values.generator, drawn.shapes[last][-1], 2), last)
    return Network(drawn.shapes[-1], drawn.layers, drawn.wires)


def images(network: Network, count: int = 5) -> Array:
    """Raw inputs, (count, *input_shape)."""
    return Values(9).normal(count, *network.input_shape)
