"""Hypothesis strategies: every valid dense network, and such as fork and join, or read sequences, in small."""

from collections.abc import Callable

from hypothesis import strategies as st

from nas_surgery.network import (
    ACTIVATIONS,
    GRU,
    LSTM,
    Activation,
    Add,
    Array,
    Attend,
    Concat,
    ConcatPositions,
    Dropout,
    Embedding,
    Flatten,
    Multiply,
    Network,
    Normalize,
    Rearrange,
    RMSNorm,
    Softmax,
    Token,
    keyed_generator,
)
from nas_surgery.testing.builders import Item, Unbiased, build, exact_in_float32, random_dense
from nas_surgery.testing.wiring import Wiring

activations = st.sampled_from(sorted(ACTIVATIONS))
widths = st.integers(1, 6)
seeds = st.integers(0, 2**16)


def _units(width: int, biased: bool) -> Item:
    return width if biased else Unbiased(width)


@st.composite
def elementwise(draw: st.DrawFn, activation: st.SearchStrategy[str] = activations) -> list[Item]:
    """What may stand between linear layers: mostly one activation; none, or several with Dropout between."""
    items: list[Item] = []
    for _ in range(draw(st.sampled_from([1, 1, 1, 0, 2, 3]))):
        items.append(draw(activation))
        if not draw(st.integers(0, 4)):
            rate = Dropout(draw(st.sampled_from([0.0, 0.25, 0.5])))
            items.insert(draw(st.integers(0, len(items))), rate)
    return items


@st.composite
def blocks(draw: st.DrawFn, activation: st.SearchStrategy[str] = activations) -> list[Item]:
    """A linear layer, with or without bias, and what stands behind it."""
    return [_units(draw(widths), draw(st.booleans())), *draw(elementwise(activation))]


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
    *,
    bare_inputs: bool = False,
) -> Network:
    """A float64 network of float32 values: chains of linear layers with and without bias, on vectors,
    or on the last axis of up to three before a Flatten; Normalize, linear layers in a row, and any
    number of activations, Dropout and Flatten anywhere.

    bare_inputs: nothing but Normalize and Flatten stands before the first linear layer.
    """
    shape = tuple(draw(st.lists(st.integers(1, 4), min_size=1, max_size=3)))
    count = draw(st.integers(min_hidden, max_hidden))
    rarely = st.integers(0, 4).map(lambda drawn: drawn == 4)
    body = draw(elementwise(activation)) if draw(rarely) and not bare_inputs else []
    body += [item for _ in range(count) for item in draw(blocks(activation))]
    body.append(_units(draw(widths), draw(st.booleans())))
    body += draw(elementwise(activation)) if draw(rarely) else []
    for _ in range((len(shape) > 1) + draw(rarely)):
        body.insert(draw(st.integers(0, len(body))), Flatten())
    return build(shape, *draw(normalizations(shape[-1])), *body, seed=draw(seeds))


def inputs(network: Network, count: int = 40, seed: int = 0) -> Array:
    """Raw inputs that reach both sides of every activation, (count, *input_shape)."""
    shape = (count, *network.input_shape)
    return exact_in_float32(2 * keyed_generator(seed, "test inputs").normal(size=shape))


@st.composite
def forked(
    draw: st.DrawFn, activation: st.SearchStrategy[str] = activations, max_steps: int = 6
) -> Network:
    """A float64 network of linear layers, activations, residual blocks, sums and concatenations."""
    input_shape = draw(st.sampled_from([(3,), (2, 2), (3, 2, 3)]))
    drawn, generator = Wiring(input_shape), keyed_generator(draw(seeds), "forked")
    drawn.add(random_dense(generator, input_shape[-1], 3), -1)
    for _ in range(draw(st.integers(1, max_steps))):
        source = draw(st.sampled_from(sorted(drawn.shapes)))
        shape = drawn.shapes[source]
        alike = [place for place, other in drawn.shapes.items() if other == shape]
        beside = [place for place, other in drawn.shapes.items() if other[:-1] == shape[:-1]]
        kind = draw(st.sampled_from(["dense", "block", "block", "activation", "add", "concat"]))
        if kind == "block":
            first = last = len(drawn.layers) - 1
            width = drawn.shapes[first][-1]
            for units in draw(st.sampled_from([(2, width), (width,)])):
                last = drawn.add(random_dense(generator, drawn.shapes[last][-1], units), last)
            drawn.add(Add(), first, last)
        elif kind == "dense":
            units = draw(st.sampled_from([2, 3, shape[-1]]))
            drawn.add(random_dense(generator, shape[-1], units, draw(st.booleans())), source)
        elif kind == "activation":
            drawn.add(Activation(draw(activation)), source)
        else:
            join, others = (Add(), alike) if kind == "add" else (Concat(), beside)
            more = draw(st.lists(st.sampled_from(others), min_size=1, max_size=2))
            drawn.add(join, source, *more)
    drawn.unread.discard(-1)
    if len(drawn.unread) > 1:
        drawn.add(Concat(), *sorted(drawn.unread))
    (last,) = drawn.unread
    if len(input_shape) > 1:
        last = drawn.add(Flatten(), last)
    drawn.add(random_dense(generator, drawn.shapes[last][-1], 2), last)
    return drawn.network()


Step = Callable[[st.DrawFn, Wiring], object]


def _recurrent(draw: st.DrawFn, net: Wiring) -> None:
    cls: type[LSTM] | type[GRU] = LSTM if draw(st.booleans()) else GRU
    units = draw(st.integers(1, 3))
    kernel, recurrent = (net.normal(n, cls.gates, units) for n in (net.width(), units))
    bias = net.normal(cls.gates, units) if draw(st.booleans()) else None
    net.add(cls(kernel, recurrent, bias, reverse=draw(st.booleans())))


def _attention(draw: st.DrawFn, net: Wiring) -> None:
    """Beside the stream that it reads."""
    stream, heads = net.last, draw(st.sampled_from([1, 2]))
    widths = [heads * draw(st.integers(1, 2)) for _ in range(2)]
    q, k, v = (net.dense(width, stream, gain=1) for width in (widths[0], *widths))
    length = net.shapes[stream][0]
    bias = net.normal(heads, length, length) if draw(st.booleans()) else None
    net.add(Attend(heads, causal=draw(st.booleans()), bias=bias), q, k, v)
    net.add(Add(), stream, net.dense(net.width(stream), gain=1))


def _gate(draw: st.DrawFn, net: Wiring) -> None:
    stream = net.last
    net.dense(net.width(), gain=1)
    net.add(Multiply(), stream, net.activate("sigmoid"))


def _longer(draw: st.DrawFn, net: Wiring) -> None:
    net.add(Token(net.normal(draw(st.integers(1, 2)), net.width())))
    net.add(ConcatPositions(), net.last, net.dense(net.width()))


def _turned(draw: st.DrawFn, net: Wiring) -> None:
    length = net.shapes[net.last][0]
    net.add(Rearrange((length, 1), (1, 0), (2,)))


_STEPS: dict[str, Step] = {
    "dense": lambda draw, net: net.dense(draw(widths)),
    "activation": lambda draw, net: net.activate(draw(activations)),
    "layer norm": lambda draw, net: net.layer_norm(),
    "rms norm": lambda draw, net: net.add(RMSNorm(net.positive(net.width()))),
    "softmax": lambda draw, net: net.add(Softmax()),
    "recurrent": _recurrent,
    "attention": _attention,
    "gate": _gate,
    "longer": _longer,
    "turned": _turned,
}


@st.composite
def sequences(draw: st.DrawFn, max_steps: int = 4) -> Network:
    """A float64 network for sequences, of values or tokens: recurrent layers, attention beside a stream, norms,
    gates, and what makes sequences longer."""
    net = Wiring(draw(st.sampled_from([(3,), (3, 2), (1, 3), (5, 1)])), draw(seeds))
    if len(net.input_shape) == 1:
        net.add(Embedding(net.normal(5, draw(st.integers(1, 4)))))
    for _ in range(draw(st.integers(1, max_steps))):
        _STEPS[draw(st.sampled_from(sorted(_STEPS)))](draw, net)
    net.add(Flatten())
    net.dense(2)
    return net.network()
