"""Surgery on networks that fork and join."""

import attrs
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from nas_surgery.analysis.spectra import analyse
from nas_surgery.errors import OperationError
from nas_surgery.network import Activation, Add, Concat, Flatten, Network
from nas_surgery.operations import (
    AddLayer,
    AddNeurons,
    Context,
    FoldInputCentring,
    RemoveLayer,
    RemoveNeurons,
    Revive,
    TruncatedSVD,
)
from nas_surgery.strategies.default.sizes import resized
from nas_surgery.surgery import (
    Exactness,
    WidthMap,
    carry_slots,
    change_width,
    group_activations,
    output_gradient,
    selection,
)
from nas_surgery.testing.builders import labelled, random_dense
from nas_surgery.testing.networks import forked, inputs, seeds
from nas_surgery.testing.oracles import numerical_gradient

GENERATOR = np.random.default_rng(0)
AT_ZERO = st.sampled_from(["relu", "tanh", "linear", "leaky_relu", "silu"])  # where they are zero
COUNTS = st.integers(1, 3)


def dense(fan_in, units):
    return random_dense(GENERATOR, fan_in, units)


def stream(function="tanh"):
    """A residual stream that is read, joined to itself and to other channels, and tiled."""
    layers = [dense(3, 4), dense(4, 4), Add(), Activation(function), dense(3, 2)]
    layers += [Concat(), Flatten(), dense(20, 2)]
    return Network((2, 3), layers, {2: (0, 1), 4: (-1,), 5: (3, 4, 0)})


def group_in(data, network):
    assume(network.groups())
    return data.draw(st.sampled_from(network.groups()))


def difference(network, edited, x=None):
    """Largest change of the outputs ÷ their largest, at least 1."""
    x = inputs(network) if x is None else x
    before = network.forward(x)
    return np.abs(edited.forward(x) - before).max() / max(1.0, np.abs(before).max())


def silenced(network, group, unit):
    """The network whose writers all give nothing for one channel of the group."""
    changes = {}
    for address in group.writers:
        layer = network.layers[address]
        kept = np.arange(group.size) != unit
        bias = None if layer.bias is None else layer.bias * kept
        changes[address] = (attrs.evolve(layer, kernel=layer.kernel * kept, bias=bias),)
    return network.replace(changes)


@given(forked(AT_ZERO), st.data())
def test_a_dead_channel_can_be_cut_from_every_group(network, data):
    """Wherever it is tied, tiled or stands beside others, nothing is lost with it."""
    group = group_in(data, network)
    assume(group.size > 1)
    unit = data.draw(st.integers(0, group.size - 1))
    network = silenced(network, group, unit)
    keep = selection(np.setdiff1d(np.arange(group.size), unit), group.size)
    surgery = change_width(network, group, WidthMap(keep, keep.T))
    assert difference(network, surgery.network) <= 1e-10
    assert [g.size for g in surgery.network.groups()] == [
        g.size - (g == group) for g in network.groups()
    ]
    assert surgery.network.wires == network.wires


@given(forked(), st.data(), COUNTS, seeds, st.sampled_from(["pairs", "zero", "split"]))
def test_growth_is_exact_in_every_group(network, data, count, seed, method):
    """As promised, with and without a probe; sizes are known before."""
    group = group_in(data, network)
    operation = AddNeurons(data.draw(st.sampled_from(group.writers)), count, method)
    probe = data.draw(st.sampled_from([None, inputs(network, 20, seed)]))
    surgery = operation.apply(network, Context(seed, probe=probe))
    assert surgery.promise.exact
    assert difference(network, surgery.network) <= 1e-10
    assert surgery.network.parameter_count == operation.parameters_after(network)
    sized = resized(network, {group.writers[0]: group.size + count})
    assert sized.shapes == surgery.network.shapes
    assert sized.parameter_count == surgery.network.parameter_count


@given(forked(), st.data(), seeds)
def test_whatever_is_promised_is_kept(network, data, seed):
    """By copies, projections and fits: proved for every input, measured on the probe."""
    group = group_in(data, network)
    writer, probe = group.writers[0], inputs(network, 30, seed)
    edits = [AddNeurons(writer, 2, "clone"), AddNeurons(writer, 2), TruncatedSVD(writer, 1)]
    if group.size > 1:
        edits += [RemoveNeurons(writer, keep=1), RemoveNeurons(writer, 1, method="magnitude")]
    operation = data.draw(st.sampled_from(edits))
    surgery = operation.apply(network, Context(seed, probe=probe))
    assert surgery.network.parameter_count == operation.parameters_after(network)
    if surgery.promise.exact:
        assert difference(network, surgery.network) <= 1e-9
    if surgery.promise.exactness is Exactness.MEASURED:
        assert difference(network, surgery.network, probe) <= 1e-6
    slots = {"second_moment": {k: np.ones(v.shape) for k, v in network.parameters().items()}}
    moved = carry_slots(slots, network, surgery)["second_moment"]
    found = {name: array.shape for name, array in moved.items()}
    assert found == {name: array.shape for name, array in surgery.network.parameters().items()}


def test_readers_make_up_for_units_that_copy_others():
    """In a stream, where each reader sees another state, and beside other channels."""
    network = stream()
    group = network.groups()[0]
    assert (group.writers, [r.address for r in group.readers]) == ((0, 1), [1, 7])
    doubled = change_width(network, group, WidthMap(*_doubling(4))).network
    assert difference(network, doubled) <= 1e-10
    probe = inputs(network)
    for count in (1, 4):
        surgery = RemoveNeurons(1, count).apply(doubled, Context(probe=probe))
        assert surgery.promise.exactness is Exactness.MEASURED
        assert difference(network, surgery.network) <= 1e-6
    lossy = RemoveNeurons(1, 6).apply(doubled, Context(probe=probe))
    assert lossy.promise.exactness is Exactness.APPROXIMATE
    assert lossy.predicted > 0


def _doubling(size):
    """Every channel twice, and half of each."""
    encode = selection(np.tile(np.arange(size), 2), size)
    return encode, encode.T / 2


def test_the_channels_of_a_group_are_seen_in_all_the_states_that_are_read():
    """The stream itself, and what is joined of it: before and behind the activation."""
    network = stream()
    x = inputs(network, 5)
    first = network.forward(x, stop=1).reshape(-1, 4)
    behind = network.forward(x, stop=4).reshape(-1, 4)
    seen = group_activations(network, network.groups()[0], x)
    assert seen.shape == (10 + 20, 4)
    assert np.allclose(seen[:10], first)
    assert {tuple(row) for row in seen[10:].round(9)} == {
        tuple(row) for row in np.concatenate([first, behind]).round(9)
    }


def test_a_carried_gradient_is_the_gradient_of_the_edited_network():
    """Of writers, readers and what is both, by finite differences; the rest keeps its own."""
    network = stream()
    samples = labelled(network, 8)
    before = numerical_gradient(network, samples, "cross_entropy")
    for writer in (0, 4):
        surgery = AddNeurons(writer, 3, "split").apply(network, Context(1))
        moved = carry_slots({"velocity": before}, network, surgery)["velocity"]
        after = numerical_gradient(surgery.network, samples, "cross_entropy")
        for name, gradient in after.items():
            assert np.allclose(moved[name], gradient, atol=1e-7), name


def test_a_layer_of_a_sum_cannot_go():
    """Its channels are another layer's too; the line says so, and none of it is proposed."""
    with pytest.raises(OperationError, match="layer 0 cannot go: 2 layers write its channels"):
        RemoveLayer(0).apply(stream(), Context(probe=inputs(stream())))
    assert not RemoveLayer.propose(stream(), analyse(stream()))


@pytest.mark.parametrize("operation", [AddLayer(0), AddLayer(1), AddLayer(1, units=3), Revive(0)])
def test_branches_take_what_leaves_them_alone(operation):
    """A layer deeper, in a stream or beside it, and new life for units: nothing of it is seen outside."""
    network = stream()
    probe = inputs(network)
    surgery = operation.apply(network, Context(probe=probe))
    assert surgery.promise.exact, surgery.promise
    assert difference(network, surgery.network, probe) < 1e-10
    assert operation.parameters_after(network) == surgery.network.parameter_count


def test_inputs_that_branches_may_read_are_not_centred():
    """A Normalize before one layer would be behind the back of others."""
    with pytest.raises(OperationError, match="with branches may be read in several places"):
        FoldInputCentring("centre").apply(stream(), Context(probe=inputs(stream())))


def test_a_projection_is_of_one_writer():
    """Those of a sum have no singular vectors in common; without a probe magnitudes decide."""
    with pytest.raises(OperationError, match="2 layers write these channels"):
        RemoveNeurons(0, 1, method="svd").apply(stream())
    surgery = RemoveNeurons(0, 1).apply(stream("linear"))
    assert "by magnitude" in surgery.promise.reason


def test_gradients_of_branches_are_not_known():
    """Growth falls back to plain pairs and says so."""
    network = stream()
    samples = labelled(network, 12)
    surgery = AddNeurons(0, 2).apply(network, Context(probe=samples.x, labels=samples.y))
    assert surgery.promise.exact
    assert "so plain pairs" in surgery.promise.reason
    with pytest.raises(OperationError, match="network with branches"):
        output_gradient(network, 0, samples.x, samples.y, "cross_entropy")
