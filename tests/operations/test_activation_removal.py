import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import linalg
from sklearn.datasets import load_digits

from nas_surgery.network import ACTIVATIONS, Dense, Flatten, Network
from nas_surgery.numpy_backend.backend import NumpyBackend
from nas_surgery.operations import Context, RemoveLayer, RemoveNeurons, TruncatedSVD
from nas_surgery.surgery import Exactness
from nas_surgery.testing.builders import Unbiased, build
from nas_surgery.testing.networks import inputs, networks, seeds
from nas_surgery.training.optimizers import SGD
from nas_surgery.training.plans import Recipe
from nas_surgery.training.state import Samples, TrainState

GENERATOR = np.random.default_rng(0)


def probe(network, count=200, seed=0):
    return np.random.default_rng(seed).normal(size=(count, *network.input_shape))


def with_redundant_units(function, positions=1):
    """Five units and four that repeat two of them, or are dead: what they say, the five know."""
    shape = 6 if positions == 1 else (positions, 6)
    network = build(shape, 5, function, *([Flatten()] if positions > 1 else []), 3)
    writer, reader = network.layers[0], network.layers[-1]
    order = [0, 1, 2, 3, 4, 1, 1, 3]
    kernel = np.column_stack([writer.kernel[:, order], np.zeros(6)])
    bias = np.append(writer.bias[order], -0.7)
    rows = GENERATOR.normal(size=(positions * 9, 3))
    return network.replace(
        {0: (Dense(kernel, bias),), len(network.layers) - 1: (Dense(rows, reader.bias),)}
    )


@pytest.mark.parametrize("positions", [1, 3])
@pytest.mark.parametrize("function", sorted(ACTIVATIONS))
def test_units_that_the_others_determine_go_without_loss(function, positions):
    """Copies and constants: equal on the probe and beyond, and promised as measured."""
    network = with_redundant_units(function, positions)
    surgery = RemoveNeurons(0, keep=5).apply(network, Context(probe=probe(network)))
    assert surgery.promise.exactness in (Exactness.MEASURED, Exactness.PROVED)
    assert surgery.predicted < 1e-10
    x = probe(network, seed=1)
    assert np.allclose(surgery.network.forward(x), network.forward(x), rtol=0, atol=1e-8)


@given(seeds, st.integers(1, 7))
def test_the_readers_best_answer_to_the_units_that_remain(seed, keep):
    """With many more samples than units, the new reader is the least squares fit of the old one's
    outputs on the activations that remain, as NumPy's lstsq finds it."""
    network = build(5, 8, "tanh", 3, seed=seed)
    x = probe(network, 3000, seed)
    edited = RemoveNeurons(0, keep=keep)(network, probe=x)
    h = np.column_stack([edited.forward(x, stop=2), np.ones(3000)])
    z = network.forward(x)
    best = z - h @ np.linalg.lstsq(h, z)[0]
    assert np.linalg.norm(edited.forward(x) - z) <= np.linalg.norm(best) * 1.02 + 1e-8


def test_units_are_the_pivots_of_the_scaled_activations():
    """QR with column pivoting of H, centred and times the outgoing norms; order is kept."""
    network = build(6, 9, "relu", 3)
    x = probe(network)
    h = network.forward(x, stop=2) * np.linalg.norm(network.layers[2].kernel, axis=1)
    pivots = np.sort(linalg.qr(h - h.mean(axis=0), pivoting=True, mode="economic")[2][:4])
    edited = RemoveNeurons(0, keep=4)(network, probe=x)
    assert np.array_equal(edited.layers[0].kernel, network.layers[0].kernel[:, pivots])
    assert np.array_equal(edited.layers[0].bias, network.layers[0].bias[pivots])


def test_the_mean_of_what_goes_is_kept_in_the_bias():
    """The outputs' means over the probe stay, whatever is removed."""
    network = build(6, 9, "relu", 3)
    x = probe(network)
    edited = RemoveNeurons(0, keep=1)(network, probe=x)
    assert np.allclose(edited.forward(x).mean(axis=0), network.forward(x).mean(axis=0), atol=1e-10)


def test_predictions_hold_on_other_samples():
    """The change expected of the outputs is the one that new samples show, within a third."""
    network = build(20, 40, "relu", 5)
    for keep in (35, 25, 10):
        surgery = RemoveNeurons(0, keep=keep).apply(network, Context(probe=probe(network, 300)))
        x = probe(network, 4000, seed=1)
        change = surgery.network.forward(x) - network.forward(x)
        found = np.linalg.norm(change) / np.linalg.norm(
            network.forward(x) - network.layers[-1].bias
        )
        assert surgery.predicted == pytest.approx(found, rel=0.33)


@pytest.mark.parametrize("count", [1, 3])
def test_few_samples_still_give_a_network(count):
    """Fewer rows than units leave H rank-deficient."""
    network = build(6, 9, "relu", 3)
    edited = RemoveNeurons(0, keep=5)(network, probe=probe(network, count))
    assert edited.hidden == (5,)
    assert np.isfinite(edited.forward(probe(network))).all()


def test_all_units_silent_leaves_their_constant():
    """Nothing varies: any one unit will do, and the bias says the rest."""
    network = build(4, 6, "relu", 3)
    dead = network.replace({0: (Dense(np.zeros((4, 6)), np.arange(6.0)),)})
    x = probe(dead)
    edited = RemoveNeurons(0, keep=1)(dead, probe=x)
    assert np.allclose(edited.forward(x), dead.forward(x), atol=1e-12)


def test_readers_without_bias_get_none():
    """The fit then goes through the origin."""
    network = build(6, Unbiased(9), "relu", Unbiased(3))
    operation = RemoveNeurons(0, keep=4)
    edited = operation(network, probe=probe(network))
    assert edited.layers[2].bias is None
    assert edited.parameter_count == operation.parameters_after(network)


def test_magnitude_keeps_the_units_of_largest_norm_as_they_are():
    """The usual pruning: nothing makes up for what goes."""
    network = build(6, 9, "relu", 3)
    norms = np.linalg.norm(network.layers[0].kernel, axis=0)
    kept = np.sort(np.argsort(-norms)[:4])
    edited = RemoveNeurons(0, keep=4, method="magnitude")(network)
    assert np.array_equal(edited.layers[0].kernel, network.layers[0].kernel[:, kept])
    assert np.array_equal(edited.layers[2].kernel, network.layers[2].kernel[kept])
    assert np.array_equal(edited.layers[2].bias, network.layers[2].bias)


@pytest.mark.parametrize(("items", "method"), [(("relu",), "magnitude"), ((), "svd")])
def test_without_a_probe_removal_falls_back_to_weights_and_says_so(items, method):
    """A projection where nothing stands between, the norm of weights behind an activation."""
    network = build(6, 9, *items, 3)
    surgery = RemoveNeurons(0, keep=4).apply(network)
    assert f"no probe, so by {method}" in surgery.promise.reason
    assert surgery.network.equals(RemoveNeurons(0, keep=4, method=method)(network))


@pytest.mark.parametrize("positions", [1, 2])
def test_a_removed_layer_is_the_ridge_fit_of_what_followed_it(positions):
    """With many samples: NumPy's least squares from its inputs to the next outputs; better than the
    product of weights."""
    shape = 4 if positions == 1 else (positions, 4)
    network = build(shape, 8, "relu", *([Flatten()] if positions > 1 else []), 3)
    x = probe(network, 4000)
    edited = RemoveLayer(0)(network, probe=x)
    z = network.forward(x)
    design = np.column_stack([x.reshape(4000, -1), np.ones(4000)])
    best = np.linalg.norm(z - design @ np.linalg.lstsq(design, z)[0])
    found = np.linalg.norm(edited.forward(x) - z)
    assert best <= found <= best * 1.01
    assert found < np.linalg.norm(RemoveLayer(0, "product")(network).forward(x) - z)
    assert edited.hidden == ()


@given(networks(), seeds)
def test_removing_a_layer_predicts_its_parameters_with_a_probe_too(network, seed):
    """A bias appears only where the product of weights would have one."""
    operation = RemoveLayer(network.groups()[0].writers[0])
    edited = operation(network, probe=inputs(network, 30, seed))
    assert edited.parameter_count == operation.parameters_after(network)


def test_linear_layers_are_merged_exactly_with_and_without_a_probe():
    """Nothing needs fitting where nothing stands between."""
    network = build(4, 6, 3)
    surgery = RemoveLayer(0).apply(network, Context(probe=probe(network, 3)))
    assert surgery.promise.exact
    assert surgery.predicted == 0


def test_factors_change_the_outputs_least_of_all_of_their_rank():
    """No other product of rank r does better on the probe: the optimum is the tail of the singular
    values of the centred outputs (Eckart-Young), and weights alone do worse."""
    scales = np.logspace(0, -2, 10)  # inputs that vary little in most directions
    network = build(10, 8, "relu", 3)
    x = probe(network, 500) * scales + 1.0
    y = network.forward(x, stop=1)
    values = np.linalg.svd(y - y.mean(axis=0), compute_uv=False)
    for rank in (1, 3, 6):
        surgery = TruncatedSVD(0, rank).apply(network, Context(probe=x))
        edited = surgery.network.forward(x, stop=2)
        lost = np.linalg.norm(edited - y)
        assert lost == pytest.approx(np.linalg.norm(values[rank:]), rel=1e-8)
        assert surgery.predicted == pytest.approx(lost / np.linalg.norm(y), rel=1e-8)
        by_weights = TruncatedSVD(0, rank, "svd")(network).forward(x, stop=2)
        assert lost < np.linalg.norm(by_weights - y)


def test_factors_through_more_channels_than_the_probe_shows_are_measured():
    """Inputs of rank 2: rank 2 is enough for them."""
    network = build(6, 5, "relu", 3)
    x = probe(network, 40)[:, :2] @ GENERATOR.normal(size=(2, 6))
    surgery = TruncatedSVD(0, 2).apply(network, Context(probe=x))
    assert surgery.promise.exactness is Exactness.MEASURED
    assert np.allclose(surgery.network.forward(x), network.forward(x), atol=1e-10)
    assert not np.allclose(surgery.network.forward(probe(network)), network.forward(probe(network)))


def test_a_kernel_of_low_rank_is_factored_exactly():
    """Whatever the probe shows."""
    low = GENERATOR.normal(size=(6, 2)) @ GENERATOR.normal(size=(2, 5))
    network = Network(6, [Dense(low, np.ones(5)), *build(5, "relu", 3).layers])
    surgery = TruncatedSVD(0, 2).apply(network, Context(probe=np.zeros((4, 6))))
    assert surgery.promise.exact


@pytest.mark.parametrize(
    ("operation", "weights"),
    [(RemoveLayer(0), RemoveLayer(0, "product")), (TruncatedSVD(0, 2), TruncatedSVD(0, 2, "svd"))],
)
def test_without_a_probe_depth_falls_back_to_weights_and_says_so(operation, weights):
    """The paper's way."""
    network = build(6, 5, "relu", 3)
    surgery = operation.apply(network)
    assert "no probe" in surgery.promise.reason
    assert surgery.network.equals(weights(network))


def test_two_thirds_of_a_trained_layer_can_go():
    """Digits, 90-40 hidden units, no retraining: activation-aware removal loses a point at most, and
    magnitude and projection several times as much."""
    x, y = load_digits(return_X_y=True)
    train, test = Samples(x[:1300] / 16, y[:1300]), Samples(x[1300:] / 16, y[1300:])
    start = Network.dense(64, (90, 40), seed=1)
    plan = Recipe(SGD(0.05), seed=1).plan(1300, 0, 82 * 30)
    network = NumpyBackend().train(TrainState(start), train, plan)[0].network

    def accuracy(network):
        return np.mean(network.forward(test.x).argmax(axis=1) == test.y)

    lost = {
        method: accuracy(network)
        - accuracy(RemoveNeurons(0, keep=30, method=method)(network, probe=train.x[:1024]))
        for method in ("activation", "svd", "magnitude")
    }
    assert accuracy(network) > 0.9
    assert lost["activation"] <= 0.01
    assert min(lost["svd"], lost["magnitude"]) > 3 * max(lost["activation"], 0.005)
