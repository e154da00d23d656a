import numpy as np

from nas_surgery.network import Dense
from nas_surgery.operations import TruncatedSVD
from nas_surgery.testing.builders import build
from nas_surgery.testing.networks import inputs


def test_one_layer_becomes_two_through_the_rank():
    """U Σ without bias, then Vᵀ with the old bias; the activation stays behind both."""
    network = build(6, 5, "tanh", 3)
    edited = TruncatedSVD(0, 2)(network)
    kinds = [layer.kind for layer in edited.layers]
    assert kinds == ["dense", "dense", "activation", "dense"]
    assert edited.hidden == (2, 5)
    left, values, right = np.linalg.svd(network.layers[0].kernel, full_matrices=False)
    product = edited.layers[0].kernel @ edited.layers[1].kernel
    assert np.allclose(product, left[:, :2] * values[:2] @ right[:2], atol=1e-13)
    assert np.array_equal(edited.layers[1].bias, network.layers[0].bias)


def test_full_rank_is_exact_for_every_activation():
    """Nothing is dropped, and the pre-activations stay."""
    network = build(6, 5, "gelu", 3)
    surgery = TruncatedSVD(0, 5).apply(network)
    assert surgery.promise.exact
    x = inputs(network)
    assert np.allclose(surgery.network.forward(x), network.forward(x), rtol=0, atol=1e-13)


def test_rank_is_judged_by_singular_values_above_rounding():
    """A float32 product of rank 2 carries rounding that float64 sees: rank 2 is then approximate."""
    generator = np.random.default_rng(0)
    kernel = generator.normal(size=(6, 2)) @ generator.normal(size=(2, 5))
    exact = build(6, 5, "relu", 3).replace({0: (Dense(kernel, np.ones(5)),)})
    rounded = exact.astype(np.float32)
    assert TruncatedSVD(0, 2).apply(exact).promise.exact
    surgery = TruncatedSVD(0, 2).apply(rounded)
    x = inputs(exact)
    change = np.abs(surgery.network.forward(x) - rounded.forward(x)).max()
    assert not surgery.promise.exact
    assert change < 1e-5 * np.abs(rounded.forward(x)).max()
