import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas_surgery.network import ACTIVATIONS, Dense
from nas_surgery.numpy_backend.backend import NumpyBackend
from nas_surgery.operations import Context, Revive
from nas_surgery.surgery import Exactness
from nas_surgery.testing.builders import Unbiased, build, labelled
from nas_surgery.testing.networks import seeds
from nas_surgery.training.optimizers import SGD
from nas_surgery.training.plans import Recipe
from nas_surgery.training.state import TrainState


def probe(network, count=100, seed=0):
    return np.random.default_rng(seed).normal(size=(count, *network.input_shape))


def silenced(function, units=(1, 4), bias=-50.0):
    """A layer of six units of which some are pushed so far down that no usual input moves them."""
    network = build(4, 6, function, 3)
    held = network.layers[0].bias.copy()
    held[list(units)] = bias
    return network.replace({0: (Dense(network.layers[0].kernel, held),)})


@pytest.mark.parametrize("function", ["relu", "relu6", "sigmoid", "tanh", "elu", "selu"])
def test_silent_units_are_replaced_and_the_function_stays(function):
    """What they said moves into the readers' bias; equal on the probe, and measured."""
    network = silenced(function)
    x = probe(network)
    surgery = Revive(0).apply(network, Context(1, probe=x))
    assert surgery.promise.exactness is Exactness.MEASURED
    assert "2 units" in surgery.promise.reason
    assert np.allclose(surgery.network.forward(x), network.forward(x), rtol=0, atol=1e-6)
    assert surgery.network.parameter_count == network.parameter_count
    spread = np.ptp(surgery.network.forward(x, stop=2), axis=0)
    assert spread.min() > 1e-3


def test_other_units_keep_their_weights():
    """In their order, and the new ones stand last, with outgoing weights of zero."""
    network = silenced("relu")
    edited = Revive(0)(network, probe=probe(network))
    others = [0, 2, 3, 5]
    assert np.array_equal(edited.layers[0].kernel[:, :4], network.layers[0].kernel[:, others])
    assert np.array_equal(edited.layers[2].kernel[:4], network.layers[2].kernel[others])
    assert not edited.layers[2].kernel[4:].any()


@given(st.sampled_from(sorted(ACTIVATIONS)), seeds)
def test_lively_layers_come_back_as_they_are(function, seed):
    """The very same network, so a job on it is no surgery."""
    network = build(4, 6, function, 3, seed=seed)
    x = 3 * probe(network, 300, seed)
    surgery = Revive(0).apply(network, Context(probe=x))
    if np.ptp(network.forward(x, stop=2), axis=0).min() > 1e-3:
        assert surgery.network is network
        assert surgery.promise.exact


def test_units_without_incoming_weights_are_dead_for_every_input():
    """Proved without a probe, whatever the activation."""
    network = build(4, 6, "gelu", 3)
    kernel = network.layers[0].kernel.copy()
    kernel[:, 2] = 0
    network = network.replace({0: (Dense(kernel, network.layers[0].bias),)})
    surgery = Revive(0).apply(network)
    assert surgery.promise.exact
    assert "without a probe" in surgery.promise.reason
    x = 100 * probe(network)
    assert np.allclose(surgery.network.forward(x), network.forward(x), rtol=0, atol=1e-9)
    assert not np.array_equal(surgery.network.layers[0].kernel, kernel)


def test_units_that_can_never_exceed_zero_are_dead_behind_relu():
    """Inputs ≥ 0, no positive weight, no positive bias: proved; the first layer's inputs may be negative."""
    network = build(4, 5, "relu", 6, "relu", 3)
    for address, exact in ((2, True), (0, False)):
        layer = network.layers[address]
        kernel, bias = layer.kernel.copy(), layer.bias.copy()
        kernel[:, 1], bias[1] = -np.abs(kernel[:, 1]), -0.1
        edited = network.replace({address: (Dense(kernel, bias),)})
        surgery = Revive(address).apply(edited)
        assert (surgery.network is not edited) == exact
        if exact:
            x = 100 * probe(network)
            assert surgery.promise.exact
            assert np.allclose(surgery.network.forward(x), edited.forward(x), rtol=0, atol=1e-9)


def test_a_constant_that_no_bias_can_take_stays():
    """A reader without a bias gets none: units that say zero are revived, others are left alone."""
    network = build(4, 6, "sigmoid", Unbiased(3))
    bias = network.layers[0].bias.copy()
    bias[1], bias[4] = 60.0, -2000.0  # 1.0, and exactly 0.0
    network = network.replace({0: (Dense(network.layers[0].kernel, bias),)})
    x = probe(network)
    surgery = Revive(0).apply(network, Context(probe=x))
    assert surgery.network.parameter_count == network.parameter_count
    assert np.array_equal(surgery.network.layers[0].bias[:5], bias[[0, 1, 2, 3, 5]])
    assert np.allclose(surgery.network.forward(x), network.forward(x), rtol=0, atol=1e-12)


def test_a_stuck_network_learns_again():
    """All units dead: training changes nothing but the bias, until they are revived."""
    network = silenced("relu", range(6)).astype(np.float32)
    samples = labelled(network, 60)
    plan = Recipe(SGD(0.1), seed=1).plan(60, 0, 150)
    stuck, _ = NumpyBackend().train(TrainState(network), samples, plan)
    assert np.array_equal(stuck.network.layers[0].kernel, network.layers[0].kernel)
    revived = Revive(0)(network, probe=samples.x)
    learning, losses = NumpyBackend().train(TrainState(revived), samples, plan)
    assert not np.array_equal(learning.network.layers[0].kernel, revived.layers[0].kernel)
    assert losses[-20:].mean() < losses[:20].mean()
