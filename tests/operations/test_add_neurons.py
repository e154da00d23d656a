import numpy as np
import pytest

from nas_surgery.network import ACTIVATIONS, Network
from nas_surgery.numpy_backend.backend import NumpyBackend
from nas_surgery.operations import AddNeurons, Context
from nas_surgery.testing.builders import build, labelled
from nas_surgery.testing.networks import inputs
from nas_surgery.training.optimizers import SGD
from nas_surgery.training.plans import Recipe
from nas_surgery.training.state import TrainState

COUNTS = [1, 3, 5, 12]  # fewer than the 5 units, all of them, and more than twice as many


def change(network, edited):
    """Largest change of the outputs, scaled."""
    x = 8 * inputs(network)  # far enough for relu6
    before = network.forward(x)
    return np.abs(edited.forward(x) - before).max() / np.abs(before).max()


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("function", ACTIVATIONS)
def test_a_split_is_exact_for_every_activation(function, count):
    """Copies keep the incoming weights, so no activation can tell."""
    network = build(4, 5, function, 3)
    surgery = AddNeurons(0, count).apply(network)
    assert surgery.promise.exact
    assert surgery.network.hidden == (5 + count,)
    assert change(network, surgery.network) < 1e-13


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("function", ACTIVATIONS)
def test_a_clone_is_exact_for_positively_homogeneous_activations_alone(function, count):
    """f(z/2) + f(z/2) = f(z) needs f(a z) = a f(z); elsewhere it is approximate, and really differs."""
    network = build(4, 5, function, 3)
    surgery = AddNeurons(0, count, "clone").apply(network)
    exact = ACTIVATIONS[function].positively_homogeneous
    assert surgery.promise.exact == exact
    error = change(network, surgery.network)
    assert error < 1e-13 if exact else error > 1e-3
    if not exact:
        assert function in surgery.promise.reason


@pytest.mark.parametrize("count", COUNTS)
def test_clones_divide_incoming_and_duplicate_outgoing_weights(count):
    """Eqs. 4-8: with k copies each takes 1/k of the kernel and bias, and all of the outgoing weights."""
    network = build(4, 5, "relu", 3)
    edited = AddNeurons(0, count, "clone").apply(network, Context(1)).network
    writer, reader = edited.layers[0], edited.layers[2]
    old, old_reader = network.layers[0], network.layers[2]
    origin = [
        next(i for i in range(5) if np.array_equal(old_reader.kernel[i], row))
        for row in reader.kernel
    ]
    copies = np.bincount(origin, minlength=5)
    assert copies.max() - copies.min() <= 1
    assert np.allclose(writer.kernel, old.kernel[:, origin] / copies[origin], atol=1e-15)
    assert np.allclose(writer.bias, old.bias[origin] / copies[origin], atol=1e-15)


def test_splits_share_outgoing_weights_unevenly():
    """The old units stay first; the copies' positive shares of each unit add up to 1 and differ."""
    network = build(4, 5, "tanh", 3)
    edited = AddNeurons(0, 5, "split").apply(network).network
    writer, reader = edited.layers[0], edited.layers[2]
    assert np.array_equal(writer.kernel[:, :5], network.layers[0].kernel)
    for unit in range(5):
        (copy,) = [
            j for j in range(5, 10) if np.array_equal(writer.kernel[:, j], writer.kernel[:, unit])
        ]
        shares = reader.kernel[[unit, copy]] / network.layers[2].kernel[unit]
        assert np.allclose(shares.sum(axis=0), 1)
        assert np.all(shares > 0.05)
        assert np.all(np.abs(shares[0] - shares[1]) > 1e-3)


def test_the_drawn_units_depend_on_the_key():
    """The same context repeats; another seed or key draws other units."""
    network = build(4, 5, "relu", 3)
    results = [
        AddNeurons(0, 2).apply(network, c).network for c in (Context(1), Context(1), Context(2))
    ]
    assert results[0].equals(results[1])
    assert not results[0].equals(results[2])


def rank_after_training(network: Network) -> int:
    """Different units of the first layer, as the rank of its weights with their biases."""
    samples = labelled(network, 60)
    plan = Recipe(SGD(0.1), batch_size=10).plan(60, 0, 18)
    trained, losses = NumpyBackend().train(TrainState(network), samples, plan)
    assert losses[-6:].mean() < losses[:6].mean()
    layer = trained.network.layers[0]
    return int(np.linalg.matrix_rank(np.vstack([layer.kernel, layer.bias]), tol=1e-6))


@pytest.mark.parametrize("function", ["relu", "tanh"])
def test_splits_separate_under_training_and_clones_never_do(function):
    """Three epochs after widening 5 → 10, clones still have rank 5, splits have rank 10."""
    network = build(12, 5, function, 3)
    assert rank_after_training(AddNeurons(0, 5, "clone")(network)) == 5
    assert rank_after_training(AddNeurons(0, 5, "split")(network)) == 10
