"""What layers say of themselves is true: each declaration against `forward`, for every class there is."""

import attrs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nas_surgery.network import (
    LAYERS,
    Dense,
    Embedding,
    Join,
    Layer,
    NetworkError,
    Normalize,
    Outputs,
    Passes,
    keyed_generator,
)
from nas_surgery.network.roundoff import unit_roundoff
from nas_surgery.testing.layers import example_layers

BATCH = 7
NORMALIZE = Normalize(np.array([1.0, -2.0, 0.5]), np.array([0.5, 2.0, 1.5]))
EXAMPLES = example_layers()
SEEDS = st.integers(0, 99)
few = settings(max_examples=8)  # for each of many layers
every_layer = pytest.mark.parametrize(
    ("layer", "shape"), EXAMPLES, ids=lambda value: getattr(value, "kind", None)
)


def drawn(seed, *shape):
    return keyed_generator(seed, "values").normal(size=shape)


def along(array, axis, matrix):
    """h M for every vector h along the axis."""
    return np.moveaxis(np.moveaxis(array, axis, -1) @ matrix, -1, axis)


def changed(layer, places, matrix):
    """The layer with all its arrays mapped along the places."""
    arrays = layer.arrays()
    held = {}
    for at in places:
        if at.array in arrays:
            held[at.array] = along(held.get(at.array, arrays[at.array]), at.axis, matrix)
    return layer.resized(**held)


def in_blocks(layer, matrix):
    """The same map for each block of channels."""
    return np.kron(np.eye(layer.blocks), matrix)


def channel_map(kind, n, seed):
    """A map (n, m) of that kind and of none stricter."""
    generator, m = keyed_generator(seed, "map"), n + seed % 3
    if kind is Passes.ANY:
        return generator.normal(size=(n, m))
    chosen = np.eye(n)[:, generator.integers(n, size=m)]
    return chosen * generator.uniform(0.5, 2, m) if kind is Passes.MONOMIAL else chosen


def test_every_class_has_an_example():
    """A layer that is added is checked here, or this fails."""
    assert {layer.kind for layer, _ in EXAMPLES} == {
        kind for kind, layer in LAYERS.items() if not issubclass(layer, Join)
    }  # joins: test_joins.py


@every_layer
@few
@given(SEEDS)
def test_what_reads_channels_reads_changed_ones(layer, shape, seed):
    """With D V along the axes that read, h gives what h D gave."""
    if not layer.channels.reads:
        return
    decode = drawn(seed, seed % 4 + 1, shape[-1] // layer.blocks)
    h = drawn(seed + 1, BATCH, *shape[:-1], layer.blocks * len(decode))
    reader = changed(layer, layer.channels.reads, decode.T)
    wanted = layer.forward(h @ in_blocks(layer, decode))
    assert np.allclose(reader.forward(h), wanted, atol=1e-12)


@every_layer
@few
@given(SEEDS)
def test_what_makes_channels_makes_changed_ones(layer, shape, seed):
    """With E along the axes that write and those of one value per channel, outputs are E times the old;
    without reading anything else, if the channels are fresh, and nobody else's are written. Where outputs
    are read again a step later, E is a permutation, along these axes too."""
    assert bool(layer.channels.writes) == (layer.channels.outputs is Outputs.FRESH)
    if layer.channels.outputs is not Outputs.FRESH:
        return
    width = layer.output_shape(shape)[-1] // layer.blocks
    encode = in_blocks(layer, drawn(seed, width, seed % 4 + 1))
    if layer.channels.recurs:
        encode = np.eye(width)[keyed_generator(seed, "order").permutation(width)]
    x = layer.usual_inputs(drawn(seed + 1, BATCH, *shape))
    writer = changed(layer, (*layer.channels.made, *layer.channels.recurs), encode)
    assert np.allclose(writer.forward(x), layer.forward(x) @ encode, atol=1e-12)


@every_layer
@few
@given(SEEDS)
def test_maps_pass_as_declared_and_no_more_general_ones(layer, shape, seed):
    """layer(h M) = layer(h) M, at each position where channels are tiled, for the kind that passes.

    Values per channel go with the channels, and are not weighed.
    """
    outputs = layer.channels.outputs
    if outputs is Outputs.SELECT:
        return  # below
    if outputs not in (Outputs.SAME, Outputs.TILE):
        assert layer.passes is Passes.NOTHING
        return
    h = 8 * drawn(seed, 300, *shape)
    kinds = [Passes.SELECTION, Passes.MONOMIAL, Passes.ANY]
    if set(layer.arrays()) & {at.array for at in layer.channels.made}:
        kinds.remove(Passes.ANY)
        assert layer.passes is not Passes.ANY
    for kind in kinds:
        m = channel_map(kind, shape[-1], seed)
        tiles = layer.output_shape(shape)[-1] // shape[-1]
        after = layer.forward(h) @ np.kron(np.eye(tiles), m)
        found = changed(layer, layer.channels.made, np.sign(m)).forward(h @ m)
        assert np.allclose(found, after, atol=1e-12) == (kind <= layer.passes), kind


@every_layer
def test_what_selects_channels_gives_those_of_its_indices(layer, shape):
    """Wherever they stand, so that any change of them shows."""
    if layer.channels.outputs is Outputs.SELECT:
        h = drawn(0, BATCH, *shape)
        assert np.array_equal(layer.forward(h), h[..., list(layer.indices)])
        assert layer.passes is Passes.ANY


@every_layer
def test_every_trainable_array_says_where_its_channels_are(layer, shape):
    """Surgery must know what to do with it, and with what an optimizer keeps of it."""
    channels = layer.channels
    declared = {at.array for at in (*channels.reads, *channels.made)}
    if channels.outputs is Outputs.FROZEN:
        assert not declared
        return
    shared = {name for name, array in layer.arrays().items() if array.size == 1}
    assert {*layer.trainable, *layer.statistics} - shared <= declared


@every_layer
def test_an_elementwise_function_is_all_that_a_layer_does(layer, shape):
    """Where there is one."""
    x = drawn(0, BATCH, *shape)
    if layer.elementwise is not None:
        assert np.array_equal(layer.forward(x), layer.elementwise.value(x))


@every_layer
@few
@given(SEEDS)
def test_derivatives_are_those_of_finite_differences(layer, shape, seed):
    """The gradient of Σ g · layer(x), where the layer knows one."""
    if type(layer).backward is Layer.backward:
        return
    x, step = drawn(seed, 1, *shape), 1e-6
    g = drawn(seed + 1, 1, *layer.output_shape(shape))
    wanted = np.empty(x.shape)
    for place in np.ndindex(x.shape):
        nudge = np.zeros(x.shape)
        nudge[place] = step
        wanted[place] = np.sum(g * (layer.forward(x + nudge) - layer.forward(x - nudge)))
    found = layer.backward(x, layer.forward(x), g)
    kink = np.abs(x) < step  # where one-sided slopes differ
    assert np.allclose(np.where(kink, 0, found), np.where(kink, 0, wanted / (2 * step)), atol=1e-6)


@every_layer
@few
@given(SEEDS)
def test_float32_stays_within_the_bound_of_each_layer(layer, shape, seed):
    """Inputs that are off and arithmetic in float32, against float64."""
    x = layer.usual_inputs(5 * drawn(seed, BATCH, *shape))
    noise = 0 if isinstance(layer, Embedding) else 0.01  # tokens are off by nothing
    off = (x + noise * drawn(seed + 1, *x.shape)).astype(np.float32)
    held = {name: array.astype(np.float32) for name, array in layer.arrays().items()}
    found = attrs.evolve(layer, **held).forward(off) if held else layer.forward(off)
    same = {name: array.astype(np.float64) for name, array in held.items()}
    wide = attrs.evolve(layer, **same) if same else layer
    bound = wide.error_behind(x, np.abs(off - x), unit_roundoff(np.float32))
    assert np.all(np.abs(found - wide.forward(x)) <= bound)


@every_layer
def test_float32_stays_float32_and_inputs_stay_as_they_are(layer, shape):
    """For any number of samples; shapes are those that were announced."""
    held = {name: array.astype(np.float32) for name, array in layer.arrays().items()}
    narrow = attrs.evolve(layer, **held) if held else layer
    for count in (0, 1, 3):
        x = layer.usual_inputs(drawn(0, count, *shape)).astype(np.float32)
        x.flags.writeable = False
        y = narrow.forward(x)
        assert y.dtype == np.float32
        assert y.shape == (count, *layer.output_shape(shape))


@every_layer
def test_blank_arrays_are_valid(layer, shape):
    """A layer whose shapes alone count can be made."""
    blanks = {name: np.full(a.shape, layer.blank) for name, a in layer.arrays().items()}
    assert LAYERS[layer.kind](**layer.config(), **blanks).output_shape(shape)


def test_usual_inputs_of_a_normalize_are_spread_about_its_mean():
    """So that it gives standard values; those of other layers are these values."""
    z = drawn(0, BATCH, 2, 3)
    assert np.allclose(NORMALIZE.forward(NORMALIZE.usual_inputs(z)), z)
    assert Dense(np.ones((3, 2))).usual_inputs(z) is z


@attrs.frozen
class Silent(Layer):
    """A layer that says nothing of itself."""

    kind = "silent"

    def output_shape(self, input_shape):
        return input_shape

    def forward(self, x):
        return x**3


def test_of_a_layer_that_says_nothing_nothing_is_assumed():
    """Nothing passes, its channels are nobody's to change, and its rounding is not guessed."""
    assert Silent().passes is Passes.NOTHING
    assert Silent().channels.outputs is Outputs.FROZEN
    with pytest.raises(NetworkError, match="how a Silent rounds is not known"):
        Silent().error_behind(np.ones(3), np.zeros(3), 1e-7)
