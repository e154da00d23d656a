"""Hypothesis strategies: every valid dense network, in small."""

from hypothesis import strategies as st

from nas_surgery.network import (
    ACTIVATIONS,
    Array,
    Dropout,
    Flatten,
    Network,
    Normalize,
    keyed_generator,
)
from nas_surgery.testing.builders import Item, Unbiased, build, exact_in_float32

activations = st.sampled_from(sorted(ACTIVATIONS))
widths = st.integers(1, 6)
seeds = st.integers(0, 2**16)


def _units(width: int, biased: bool) -> Item:
    return width if biased else Unbiased(width)


@st.composite
def blocks(draw: st.DrawFn, activation: st.SearchStrategy[str] = activations) -> list[Item]:
    """A linear layer, mostly with an activation and sometimes with Dropout behind it."""
    block = [_units(draw(widths), draw(st.booleans()))]
    if draw(st.integers(0, 4)):
        block.append(draw(activation))
    if not draw(st.integers(0, 4)):
        block.append(Dropout(draw(st.sampled_from([0.0, 0.25, 0.5]))))
    return block


@st.composite
def normalizations(draw: st.DrawFn, channels: int) -> list[Item]:
    """No Normalize, or one per channel."""
    if draw(st.booleans()):
        return []
    generator = keyed_generator(draw(seeds), "normalize")
    mean, scale = generator.normal(size=channels), generator.uniform(0.5, 2, channels)
    return [Normalize(exact_in_float32(mean), exact_in_float32(scale))]


@st.composite
def networks(
    draw: st.DrawFn,
    activation: st.SearchStrategy[str] = activations,
    min_hidden: int = 1,
    max_hidden: int = 3,
) -> Network:
    """A float64 network of float32 values: chains of linear layers with and without bias, on vectors,
    or on the last axis of up to three before a Flatten, which may stand anywhere; Normalize, Dropout,
    linear layers in a row.
    """
    shape = tuple(draw(st.lists(st.integers(1, 4), min_size=1, max_size=3)))
    count = draw(st.integers(min_hidden, max_hidden))
    body = [item for _ in range(count) for item in draw(blocks(activation))]
    if len(shape) > 1 or not draw(st.integers(0, 4)):
        body.insert(draw(st.integers(0, len(body))), Flatten())
    last = _units(draw(widths), draw(st.booleans()))
    return build(shape, *draw(normalizations(shape[-1])), *body, last, seed=draw(seeds))


def inputs(network: Network, count: int = 40, seed: int = 0) -> Array:
    """Raw inputs that reach both sides of every activation, (count, *input_shape)."""
    shape = (count, *network.input_shape)
    return exact_in_float32(2 * keyed_generator(seed, "test inputs").normal(size=shape))
