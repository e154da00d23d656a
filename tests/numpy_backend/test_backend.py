import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import logsumexp

from nas_surgery.network import ACTIVATIONS, Dropout, Flatten, keyed_generator
from nas_surgery.numpy_backend.backend import NumpyBackend
from nas_surgery.testing import BackendConformance
from nas_surgery.testing.builders import build, labelled
from nas_surgery.testing.networks import networks, seeds
from nas_surgery.testing.oracles import mean_loss, numerical_gradient
from nas_surgery.training.evaluation import LOSSES
from nas_surgery.training.optimizers import SGD, Adam
from nas_surgery.training.plans import Recipe, TrainingPlan
from nas_surgery.training.state import Samples, TrainState


class TestNumpyBackend(BackendConformance):
    """The reference backend keeps what every backend promises."""

    native_model = False

    @pytest.fixture
    def backend(self):
        return NumpyBackend()


# The in-place products of plain SGD, and the vector of all gradients of every other optimizer.
PATHS = {"in place": SGD(), "vector": SGD(momentum=0.5)}


def gradient_error(network, samples, loss, optimizer):
    """Of w - w' after one step with rate 1 against central differences, scaled by the largest."""
    count = len(samples)
    plan = TrainingPlan((np.arange(count),), np.ones(1), count, optimizer, loss)
    after, _ = NumpyBackend().train(TrainState(network), samples, plan)
    wanted = numerical_gradient(network, samples, loss)
    new, old = after.network.parameters(), network.parameters()
    scale = max(np.abs(g).max() for g in wanted.values()) or 1
    return max(np.abs(old[name] - new[name] - wanted[name]).max() for name in wanted) / scale


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("function", ACTIVATIONS)
def test_gradients_agree_with_finite_differences(function, loss, path):
    """Every activation, in the middle and at the end of a network, with both losses."""
    network = build((2, 3), 4, function, Flatten(), 4, function, 3, function)
    samples = labelled(network, 6, loss=loss)
    assert gradient_error(network, samples, loss, PATHS[path]) < 1e-7


# Smooth ones only: a dead unit can leave others exactly at a kink, where no difference is right.
smooth = st.sampled_from(["linear", "gelu", "tanh", "sigmoid", "softplus", "silu"])


@given(networks(smooth), st.sampled_from(LOSSES), st.sampled_from(sorted(PATHS)), seeds)
@settings(max_examples=60)
def test_gradients_of_any_network_agree_with_finite_differences(network, loss, path, seed):
    """Any structure without Dropout."""
    drops = [i for i, layer in enumerate(network.layers) if isinstance(layer, Dropout)]
    network = network.replace(dict.fromkeys(drops, ()))
    samples = labelled(network, 5, loss=loss, seed=seed)
    assert gradient_error(network, samples, loss, PATHS[path]) < 1e-6


@pytest.mark.parametrize("rate", [0.0, 0.5])
def test_gradients_pass_through_dropout(rate):
    """The masks of step 0 are drawn by the documented key, so the masked network can be differentiated."""
    network = build(4, 5, "tanh", Dropout(rate), 3)
    samples = labelled(network, 6)
    kept = keyed_generator(0, "dropout", 0, 2).random((6, 5)) >= rate
    plan = TrainingPlan((np.arange(6),), np.ones(1), 6)
    after, losses = NumpyBackend().train(TrainState(network), samples, plan)

    def loss_of(kernel):
        first, reader = network.layers[0], network.layers[3]
        h = np.tanh(samples.x @ kernel + first.bias) * kept / (1 - rate)
        z = h @ reader.kernel + reader.bias
        return np.mean(logsumexp(z, axis=1) - z[np.arange(6), samples.y])

    kernel = network.layers[0].kernel
    slope = np.empty(kernel.shape)
    for place in np.ndindex(kernel.shape):
        step = np.zeros(kernel.shape)
        step[place] = 1e-5
        slope[place] = (loss_of(kernel + step) - loss_of(kernel - step)) / 2e-5
    assert abs(losses[0] - loss_of(kernel)) < 1e-12
    assert np.abs(kernel - after.network.layers[0].kernel - slope).max() < 1e-9


def test_losses_agree_with_scipy():
    """Cross-entropy is logsumexp(z) - z_y, the squared error a mean over samples and outputs."""
    network = build(4, 5, "tanh", 3)
    for loss in LOSSES:
        samples = labelled(network, 7, loss=loss)
        z = network.forward(samples.x)
        wanted = (
            np.mean((z - samples.y) ** 2)
            if loss == "mean_squared_error"
            else np.mean(logsumexp(z, axis=1) - z[np.arange(7), samples.y])
        )
        assert abs(mean_loss(network, samples, loss) - wanted) < 1e-14
        plan = TrainingPlan((np.arange(7),), np.zeros(1), 7, loss=loss)
        _, losses = NumpyBackend().train(TrainState(network), samples, plan)
        assert abs(losses[0] - wanted) < 1e-14


def test_extreme_logits_neither_overflow_nor_warn():
    """The softmax is shifted by its largest logit: a sure and wrong prediction costs their difference."""
    network = build(2, 2).with_parameters(
        {"layers.0.kernel": np.array([[1e4, -1e4], [0, 0]]), "layers.0.bias": np.zeros(2)}
    )
    samples = Samples(np.array([[1.0, 0.0]]), np.array([1]))
    plan = TrainingPlan((np.arange(1),), np.zeros(1), 1)
    _, losses = NumpyBackend().train(TrainState(network), samples, plan)
    assert losses[0] == 2e4


@pytest.mark.parametrize("optimizer", [SGD(0.2), SGD(0.05, momentum=0.9), Adam(0.02)], ids=str)
def test_training_learns(optimizer):
    """Two interleaved rings: no linear model beats 70 %, a small network reaches 97 %."""
    generator = keyed_generator(0, "rings")
    y = generator.integers(2, size=400)
    angle, radius = generator.uniform(0, 2 * np.pi, 400), 1 + y + generator.normal(0, 0.1, 400)
    x = np.column_stack([radius * np.cos(angle), radius * np.sin(angle)])
    network = build(2, 16, "relu", 16, "relu", 2, dtype=np.float32)
    plan = Recipe(optimizer, batch_size=16).plan(400, 0, 1000)
    after, _ = NumpyBackend().train(TrainState(network), Samples(x, y), plan)
    accuracy = np.mean(NumpyBackend().predict(after.network, x).argmax(axis=1) == y)
    assert accuracy >= 0.97
