import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas_surgery.network import Dense, Network
from nas_surgery.operations import RemoveNeurons
from nas_surgery.testing.builders import Unbiased, build
from nas_surgery.testing.networks import seeds


@given(st.integers(1, 7), st.integers(2, 7), st.data())
def test_the_projection_is_the_closest_of_its_rank(fan_in, units, data):
    """Between linear layers W becomes W E D, at the Frobenius distance √Σσ² of the dropped values."""
    network = build(fan_in, units, units, seed=data.draw(seeds))
    network = network.replace({1: (Dense(np.eye(units)),)})  # shows W E D as the product
    keep = data.draw(st.integers(1, units - 1))
    edited = RemoveNeurons(0, keep=keep, method="svd").apply(network).network
    product = edited.layers[0].kernel @ edited.layers[1].kernel
    dropped = np.linalg.svd(network.layers[0].kernel)[1][keep:]
    distance = np.linalg.norm(network.layers[0].kernel - product)
    assert abs(distance - np.linalg.norm(dropped)) < 1e-12
    assert np.linalg.matrix_rank(product, tol=1e-10) <= keep


@given(st.integers(2, 7), st.data())
def test_the_bias_is_kept_exactly(units, data):
    """o = b (I - E D): between linear layers an input of zeros gives the same outputs."""
    network = build(5, units, 3, seed=data.draw(seeds))
    keep = data.draw(st.integers(1, units - 1))
    edited = RemoveNeurons(0, keep=keep, method="svd")(network)
    zeros = np.zeros((1, 5))
    assert np.allclose(edited.forward(zeros), network.forward(zeros), rtol=0, atol=1e-13)


def test_units_beyond_the_rank_are_free():
    """A linear layer of 6 units that reads 3 channels can be left with 3, exactly."""
    network = build(3, 6, 4)
    surgery = RemoveNeurons(0, keep=3, method="svd").apply(network)
    assert surgery.promise.exact
    x = np.random.default_rng(0).normal(size=(20, 3))
    assert np.allclose(surgery.network.forward(x), network.forward(x), rtol=0, atol=1e-13)


def test_an_activation_between_makes_it_approximate():
    """Projecting h mixes channels, which relu does not let through."""
    surgery = RemoveNeurons(0, keep=3, method="svd").apply(build(3, 6, "relu", 4))
    assert not surgery.promise.exact
    assert "relu" in surgery.promise.reason


@pytest.mark.parametrize(("fields", "left"), [({"count": 2}, 4), ({"keep": 2}, 2)])
def test_count_is_removed_and_keep_is_kept(fields, left):
    """Two ways to say it."""
    assert RemoveNeurons(0, **fields)(build(4, 6, "relu", 3)).hidden == (left,)


def test_layers_without_bias_stay_without():
    """Nothing to correct, nothing added."""
    edited = RemoveNeurons(0, keep=2, method="svd")(build(4, Unbiased(5), "relu", Unbiased(3)))
    assert edited.layers[0].bias is None
    assert edited.layers[2].bias is None


def test_components_point_to_their_active_side():
    """Every kept unit answers an input of ones with at least zero, so relu keeps it alive there."""
    for seed in range(20):
        network = build(6, 6, "relu", 3, seed=seed)
        edited = RemoveNeurons(0, keep=4, method="svd")(network)
        assert np.all(edited.forward(np.ones((1, 6)), stop=1) >= -1e-12)


def test_negated_weights_give_the_negated_projection_side():
    """W and the same W with its singular pairs negated are one matrix: the edit depends on W alone."""
    kernel = build(5, 4, 3).layers[0].kernel
    left, values, right = np.linalg.svd(kernel, full_matrices=False)
    again = (-left * values) @ -right
    networks = [Network(5, [Dense(k), Dense(np.eye(4))]) for k in (kernel, again)]
    first, second = (RemoveNeurons(0, keep=2, method="svd")(network) for network in networks)
    assert np.allclose(first.layers[0].kernel, second.layers[0].kernel, atol=1e-12)
