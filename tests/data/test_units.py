"""What a regression trains on and what leaves it are the same function, in other units."""

import numpy as np
import pytest

import nas_surgery as ns
from nas_surgery.data.units import in_target_units, in_training_units, output_layer
from nas_surgery.errors import NetworkError

X = np.random.default_rng(0).normal(size=(40, 4))
MEAN, SCALE = np.array([100.0, -3.0]), np.array([20.0, 0.5])


def ending_in(*layers, shape=(4,)):
    """A network with two outputs and some layers behind its last linear one."""
    made = ns.Network.dense(shape, (5,), 2, seed=1)
    return ns.Network(made.input_shape, (*made.layers, *layers))


@pytest.mark.parametrize(
    "behind", [(), (ns.Dropout(0.1),), (ns.Flatten(), ns.Activation("linear"))], ids=len
)
def test_outputs_are_put_into_the_units_of_the_targets(behind):
    """By the last linear layer, whatever stands behind it that changes no value."""
    network = ending_in(*behind)
    found = in_target_units(network, MEAN, SCALE).forward(X)
    assert np.allclose(found, network.forward(X) * SCALE + MEAN, rtol=1e-5)


@pytest.mark.parametrize(
    ("network", "rule"),
    [
        (ending_in(ns.Activation("relu")), "layer 3 is relu"),
        (ending_in(ns.Dropout(0.1), ns.Activation("tanh")), "layer 4 is tanh"),
        (ns.Network((3, 4), (ns.Dense(np.ones((4, 2))), ns.Flatten())), "layer 1 is a Flatten"),
    ],
)
def test_outputs_that_cannot_be_are_refused(network, rule):
    """An activation would be rescaled before, and positions share the columns of their weights."""
    with pytest.raises(NetworkError, match=rule):
        output_layer(network)


def test_a_regression_that_ends_in_an_activation_is_refused_before_it_starts(tmp_path):
    """Its figures would be of another function than the one that leaves the run."""
    y = 100 + 10 * X[:, :2]
    with pytest.raises(ns.NasSurgeryError, match=r"ends in a linear layer .* layer 3 is relu"):
        ns.run({}, network=ending_in(ns.Activation("relu")), data=(X, y), out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_classification_may_end_in_an_activation():
    """Its outputs have no units."""
    spec = {"search": {"strategy": "paper", "max_epochs": 1, "initial_epochs": 1}}
    y = np.arange(40) % 2
    ended = ns.run(spec, network=ending_in(ns.Activation("tanh")), data=(X, y))
    assert ended.network.layers[-1] == ns.Activation("tanh")


def test_a_start_that_was_trained_goes_on_in_standardised_targets(tmp_path):
    """A winner predicts the user's units; as a start it is as good as it was, and a resume leaves it so."""
    y = 500 + 40 * X[:, :1] - 30 * X[:, 1:2] ** 2
    spec = {"search": {"strategy": "paper", "max_epochs": 40, "initial_epochs": 40}}
    first = ns.run(spec, data=(X, y))
    spec = {"search": {"strategy": "paper", "max_epochs": 1, "initial_epochs": 1}}
    again = ns.run(spec, network=first.network, data=(X, y), out=tmp_path / "out")
    assert again.summary["accuracy"]["validation"] > first.summary["accuracy"]["validation"] - 0.05
    assert ns.resume(tmp_path / "out", data=(X, y)).network.equals(again.network)


def test_a_start_that_was_not_trained_is_used_as_it_is():
    """Its outputs are nearer to standardised targets; without targets there are no units."""
    network = ending_in()
    y = np.random.default_rng(1).normal(size=(40, 2))
    assert in_training_units(network, MEAN, SCALE, X, y) is network
    assert in_training_units(network, None, None, X, y) is network
