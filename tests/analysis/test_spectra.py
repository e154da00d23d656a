import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas_surgery.analysis.spectra import analyse, removable_neurons, singular_values
from nas_surgery.network import Activation, Dense, Network
from nas_surgery.testing.builders import build, random_dense
from nas_surgery.testing.networks import networks


@pytest.mark.parametrize(
    ("values", "relative", "absolute", "removable"),
    [
        ([100.0, 0.6, 0.5, 0.4, 0.2], 0.005, 0.3, 2),  # below .5 relatively: .4, .2
        ([10.0, 0.4, 0.3, 0.29], 0.005, 0.3, 1),  # below .3 absolutely: .29; .3 itself is not
        ([100.0, 0.5, 0.49], 0.005, 0.0, 1),  # .5 = ε₁ σ₁ is not below
        ([1.0, 0.9], 0.005, 0.3, 0),
        ([0.2, 0.1], 0.005, 0.3, 2),  # all of them
        ([0.0, 0.0], 0.005, 0.3, 2),
        ([1.0, 0.0], 0.0, 0.0, 0),
    ],
)
def test_either_threshold_makes_a_neuron_removable(values, relative, absolute, removable):
    """n_r = |{σ_i : σ_i < ε₁ σ_1 or σ_i < ε₂}| (eq. 13), both strictly."""
    assert removable_neurons(np.array(values), relative, absolute) == removable


def diagonal(*values, rows=None):
    """A layer with these singular values."""
    kernel = np.zeros((rows or len(values), len(values)))
    np.fill_diagonal(kernel, values)
    return Dense(kernel, np.zeros(len(values)))


def test_every_hidden_layer_is_analysed_with_its_place():
    """i and h count hidden linear layers from 1; the output layer is not among them."""
    network = Network(
        3,
        [
            diagonal(4.0, 0.1, 1.0),
            Activation("relu"),
            diagonal(1.0, 1.0, 0.01),
            diagonal(5.0, 0.2, 0.2),
            Activation("relu"),
            diagonal(0.1, 0.1, 0.1),
        ],
    )
    layers = analyse(network).layers
    assert [(a.address, a.index, a.hidden_count) for a in layers] == [
        (0, 1, 3),
        (2, 2, 3),
        (3, 3, 3),
    ]
    assert [a.removable for a in layers] == [1, 1, 2]
    assert [a.redundancy for a in layers] == [1 / 3, 1 / 3, 2 / 3]
    assert [a.depth for a in layers] == [1 / 3, 2 / 3, 1.0]
    assert [a.units for a in layers] == [3, 3, 3]
    assert layers[0].singular_values.tolist() == [4.0, 1.0, 0.1]
    assert [a.group for a in layers] == list(network.groups())


def test_thresholds_can_be_chosen():
    """ε₁ and ε₂ are the recommender's settings."""
    network = Network(3, [diagonal(4.0, 0.1, 1.0), diagonal(1.0, 1.0, 1.0)])
    assert analyse(network, 0.0, 0.05).layers[0].removable == 0
    assert analyse(network, 0.5, 0.0).layers[0].removable == 2


@pytest.mark.parametrize("rows", [2, 6])
def test_spectra_have_as_many_values_as_the_smaller_side(rows):
    """A kernel (in, out) has min(in, out) singular values."""
    layer = random_dense(np.random.default_rng(0), rows, 4)
    assert singular_values(layer).shape == (min(rows, 4),)


@given(networks(), st.booleans())
def test_spectra_agree_with_the_eigenvalues(network, narrow):
    """σ² are the largest eigenvalues of WᵀW, computed in float64 for float32 kernels too."""
    network = network.astype(np.float32) if narrow else network
    for layer in analyse(network).layers:
        kernel = network.layers[layer.address].kernel.astype(np.float64)
        eigenvalues = np.linalg.eigvalsh(kernel.T @ kernel)[::-1][: min(kernel.shape)]
        assert layer.singular_values.dtype == np.float64
        assert np.allclose(layer.singular_values**2, eigenvalues, atol=1e-12)


def test_shared_layers_are_analysed_once():
    """Edited networks share layer objects, and with them their spectra."""
    network = build(4, 5, "relu", 6, "relu", 3)
    edited = network.replace({3: (Activation("tanh"),)})
    first, second = analyse(network).layers, analyse(edited).layers
    assert all(a.singular_values is b.singular_values for a, b in zip(first, second, strict=True))
    assert not first[0].singular_values.flags.writeable


def test_a_network_without_hidden_layers_has_nothing_to_analyse():
    """Logistic regression."""
    assert analyse(build(4, 3)).layers == ()
