import attrs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas_surgery.network import ACTIVATIONS, Flatten, Layer
from nas_surgery.numpy_backend.backend import NumpyBackend
from nas_surgery.operations import AddLayer, AddNeurons, Context
from nas_surgery.testing.builders import Unbiased, build, labelled
from nas_surgery.testing.networks import inputs, networks, seeds
from nas_surgery.testing.oracles import numerical_gradient
from nas_surgery.training.optimizers import SGD
from nas_surgery.training.plans import Recipe
from nas_surgery.training.state import TrainState

NEW = ("pairs", "gradient", "zero")


@attrs.frozen
class Cube(Layer):
    kind = "cube"

    def output_shape(self, input_shape):
        return input_shape

    def forward(self, x):
        return x**3


def context(network, seed=0, count=64):
    samples = labelled(network, count, seed=seed)
    return Context(seed, probe=samples.x, labels=samples.y)


def scaled_change(old, new, x):
    before = old.forward(x).astype(np.float64)
    return np.abs(new.forward(x) - before).max() / (np.abs(before).max() or 1)


@pytest.mark.parametrize("method", NEW)
@given(networks(), st.integers(1, 9), seeds)
def test_new_units_are_exact_for_every_activation(method, network, count, seed):
    """Proved, and so on inputs that are not the probe's, in float64 and cast to float32."""
    layer = network.groups()[-1].writers[0]
    outputs = network.output_shape[0]
    given = context(network, seed) if outputs > 1 else Context(seed, probe=inputs(network))
    surgery = AddNeurons(layer, count, method).apply(network, given)
    assert surgery.promise.exact
    assert surgery.predicted == 0
    assert surgery.network.groups()[-1].size == network.groups()[-1].size + count
    assert scaled_change(network, surgery.network, inputs(network, 30, seed + 1)) < 1e-10
    narrow = network.astype(np.float32)
    edited = AddNeurons(layer, count, method)(narrow, seed=seed, probe=given.probe)
    assert scaled_change(narrow, edited, inputs(network, 30, seed + 1)) < 1e-5


@pytest.mark.parametrize("function", sorted(ACTIVATIONS))
def test_pairs_are_one_unit_twice_with_opposite_outgoing_weights(function):
    """Columns k+1 … k+p again after p more; rows +v and -v; an odd last unit has zeros."""
    network = build(6, 5, function, 3)
    edited = AddNeurons(0, 7, "pairs").apply(network, context(network)).network
    writer, reader = edited.layers[0], edited.layers[-1]
    first, second = slice(5, 8), slice(8, 11)
    assert np.array_equal(writer.kernel[:, first], writer.kernel[:, second])
    assert np.array_equal(writer.bias[first], writer.bias[second])
    assert np.array_equal(reader.kernel[first], -reader.kernel[second])
    assert np.abs(reader.kernel[first]).min() > 0
    assert not reader.kernel[11].any()


def test_new_units_are_centred_on_the_probe():
    """Their mean pre-activation is zero, wherever the inputs lie."""
    network = build(6, 5, "relu", 3)
    probe = np.random.default_rng(0).normal(5.0, 1.0, (200, 6))
    edited = AddNeurons(0, 4, "pairs")(network, probe=probe)
    means = edited.forward(probe, stop=1).mean(axis=0)
    assert np.abs(means[5:]).max() < 1e-12
    assert np.abs(means[:5]).max() > 1


@pytest.mark.parametrize(("size", "scale"), [(1.0, 2.0), (15.0, 20 / 15), (1000.0, 0.5)])
def test_outgoing_weights_have_the_stated_scale(size, scale):
    """v ~ N(0, s²/(m+k)) with s = clip(20 / sqrt(E‖a‖²), .5, 2) over the layer's inputs a."""
    network = build(4, 10, "relu", 200)
    probe = np.random.default_rng(0).normal(size=(50, 4))
    probe *= size / np.linalg.norm(probe, axis=1, keepdims=True)
    edited = AddNeurons(0, 40, "pairs")(network, probe=probe)
    deviation = np.sqrt(np.mean(edited.layers[-1].kernel[10:] ** 2))
    assert deviation == pytest.approx(scale / np.sqrt(10 + 40), rel=0.05)


def test_both_units_of_a_pair_learn_from_the_first_step():
    """Their incoming gradients are opposite and not zero, by finite differences, so they separate;
    units with outgoing weights of zero get none."""
    network = build(4, 3, "tanh", 3)
    samples = labelled(network, 20)
    slopes = {}
    for method in ("pairs", "zero"):
        edited = AddNeurons(0, 2, method)(network, probe=samples.x)
        gradient = numerical_gradient(edited, samples, "cross_entropy")["layers.0.kernel"]
        slopes[method] = gradient[:, 3:]
    plus, minus = slopes["pairs"].T
    assert np.allclose(plus, -minus, atol=1e-8)
    assert np.abs(plus).max() > 1e-3
    assert np.abs(slopes["zero"]).max() < 1e-8


def test_every_growth_but_cloning_gains_rank_under_training():
    """A layer of 5 widened to 10 that has trained has rank 10, or 5 for ever if its units are clones."""
    network = build(8, 5, "relu", 4, dtype=np.float32)
    samples = labelled(network, 64)
    ranks = {}
    for method in ("pairs", "gradient", "zero", "split", "clone"):
        edited = AddNeurons(0, 5, method)(network, probe=samples.x, labels=samples.y)
        plan = Recipe(SGD(0.05), seed=1).plan(64, 0, 200)
        state, _ = NumpyBackend().train(TrainState(edited), samples, plan)
        values = np.linalg.svd(state.network.layers[0].kernel, compute_uv=False)
        ranks[method] = int(np.sum(values > 1e-4 * values[0]))
    assert ranks == {"pairs": 8, "gradient": 8, "zero": 8, "split": 8, "clone": 5}


@pytest.mark.parametrize("method", NEW)
def test_without_a_probe_it_says_so(method):
    """Biases of zero, still exact."""
    network = build(6, 5, "relu", 3)
    surgery = AddNeurons(0, 4, method).apply(network)
    assert surgery.promise.exact
    assert "no probe" in surgery.promise.reason
    assert not surgery.network.layers[0].bias[5:].any()
    assert surgery.probe_passes == 0


def test_the_gradient_without_labels_falls_back_to_pairs_and_says_so():
    """The same network as method "pairs" gives."""
    network = build(6, 5, "relu", 3)
    probe = np.random.default_rng(0).normal(size=(50, 6))
    fallen = AddNeurons(0, 4, "gradient").apply(network, Context(1, probe=probe))
    assert "no labels" in fallen.promise.reason
    plain = AddNeurons(0, 4, "pairs").apply(network, Context(1, probe=probe))
    assert fallen.network.equals(plain.network)
    assert fallen.probe_passes == plain.probe_passes == 2


def test_layers_whose_derivative_is_unknown_leave_plain_pairs():
    """A layer of someone else's behind the reader: no gradient, and the promise says so."""
    network = build(6, 5, "relu", 4, Cube(), 3)
    given = context(network)
    surgery = AddNeurons(0, 4, "gradient").apply(network, given)
    assert "no gradient" in surgery.promise.reason
    assert surgery.network.equals(AddNeurons(0, 4, "pairs").apply(network, given).network)


def test_layers_without_bias_stay_without():
    """No parameter appears that `parameters_after` does not know of."""
    network = build(6, Unbiased(5), "relu", Unbiased(3))
    edited = AddNeurons(0, 4).apply(network, context(network)).network
    assert edited.layers[0].bias is None
    assert edited.layers[2].bias is None


def test_behind_a_flatten_each_position_has_its_own_outgoing_weights():
    """They cancel at every position, and differ among them."""
    network = build((3, 4), 5, "gelu", Flatten(), 2)
    surgery = AddNeurons(0, 4).apply(network, context(network))
    rows = surgery.network.layers[-1].kernel.reshape(3, 9, 2)
    assert surgery.promise.exact
    assert np.array_equal(rows[:, 5:7], -rows[:, 7:])
    assert np.abs(rows[0, 5:7] - rows[1, 5:7]).min() > 0


@given(networks(), st.integers(1, 6), seeds)
def test_an_added_layer_with_units_promises_what_the_identity_does(network, units, seed):
    """Identity beside pairs: exact for every activation at its default, K units wider."""
    layer = network.groups()[-1].writers[0]
    operation = AddLayer(layer, units=units)
    surgery = operation.apply(network, Context(seed, probe=inputs(network)))
    assert surgery.promise.exact
    assert surgery.network.hidden == (*network.hidden, network.hidden[-1] + units)
    assert scaled_change(network, surgery.network, inputs(network, 30, seed + 1)) < 1e-10
    assert operation.parameters_after(network) == surgery.network.parameter_count


def test_an_inexact_identity_stays_inexact_with_units():
    """A second tanh changes the function, however the new units cancel."""
    network = build(6, 5, "tanh", 3)
    surgery = AddLayer(0, "tanh", 4).apply(network, context(network))
    assert not surgery.promise.exact
    assert surgery.predicted is None
    assert "cancel" in surgery.promise.reason
