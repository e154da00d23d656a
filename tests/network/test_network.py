import attrs
import numpy as np
import pytest
from hypothesis import given, settings
from scipy.special import erf, expit

from nas_surgery.network import (
    Activation,
    Dense,
    Dropout,
    Flatten,
    Network,
    NetworkError,
    Normalize,
)
from nas_surgery.testing.builders import Unbiased, build
from nas_surgery.testing.networks import inputs, networks

GENERATOR = np.random.default_rng(0)
W1, W2, W3 = (GENERATOR.normal(size=s) for s in ((4, 5), (5, 3), (6, 2)))
B1, B2, B3 = (GENERATOR.normal(size=s) for s in (5, 3, 2))
X = GENERATOR.normal(size=(7, 4))


def test_a_chain_computes_what_is_written_on_paper():
    """gelu(((x - m)/s) W1 + b1) W2 + b2, in float64."""
    m, s = np.arange(4.0), np.arange(1.0, 5)
    network = Network(4, [Normalize(m, s), Dense(W1, B1), Activation("gelu"), Dense(W2, B2)])
    z = np.einsum("ni,io->no", (X - m) / s, W1) + B1
    wanted = np.einsum("ni,io->no", z / 2 * (1 + erf(z / np.sqrt(2))), W2) + B2
    assert np.allclose(network.forward(X), wanted, atol=1e-14)


def test_dense_before_flatten_computes_what_is_written_on_paper():
    """A Dense at each of two positions; the Flatten lists position by position."""
    x = X[:6].reshape(3, 2, 4)
    network = Network(
        (2, 4), [Dense(W1, B1), Activation("sigmoid"), Dense(W2), Flatten(), Dense(W3, B3)]
    )
    h = expit(np.einsum("npi,io->npo", x, W1) + B1)
    z = np.einsum("npi,io->npo", h, W2)
    wanted = np.concatenate([z[:, 0], z[:, 1]], axis=1) @ W3 + B3
    assert np.allclose(network.forward(x), wanted, atol=1e-14)


def test_part_of_a_network_can_run():
    """`start` and `stop` cut the chain; the parts compose to the whole."""
    network = build(4, 5, "tanh", 3, "relu", 2)
    middle = network.forward(X, stop=2)
    assert middle.shape == (7, 5)
    assert np.array_equal(network.forward(middle, start=2), network.forward(X))


@pytest.mark.parametrize("x", [np.ones((7, 3)), np.ones(4), np.ones((7, 4, 1)), 1.0])
def test_inputs_of_another_shape_are_refused(x):
    """The error names the shape expected and the one given."""
    with pytest.raises(NetworkError, match=r"inputs of shape \(N, 4\) are expected, got"):
        build(4, 3).forward(x)


def test_inputs_are_cast_to_the_networks_dtype():
    """Bytes and wide floats come out as float32 of a float32 network."""
    network = build(4, 3, dtype=np.float32)
    for dtype in (np.uint8, np.int64, np.float64):
        assert network.forward(np.ones((2, 4), dtype)).dtype == np.float32


def test_no_sample_gives_no_logits():
    """A batch of 0."""
    assert build((2, 4), 3, Flatten(), 2).forward(np.zeros((0, 2, 4))).shape == (0, 2)


def test_counts_agree_with_the_hand():
    """Two positions: (4·5 + 5) + 5·3 + (6·2 + 2) parameters, 2·4·5 + 2·5·3 + 6·2 MACs."""
    network = build(
        (2, 4), Normalize(np.zeros(4), np.ones(4)), 5, "relu", Unbiased(3), Flatten(), 2
    )
    assert network.parameter_count == 25 + 15 + 14
    assert network.macs == 40 + 30 + 12
    assert network.hidden == (5, 3)
    assert network.shapes == ((2, 4), (2, 4), (2, 5), (2, 5), (2, 3), (6,), (2,))


def test_the_prefix_ends_before_what_may_change():
    """Frozen layers come first; Dropout changes at each step of training."""
    normalize = Normalize(np.zeros(4), np.ones(4))
    assert build(4, 3).prefix == 0
    assert build((2, 4), normalize, Flatten(), "relu", 3).prefix == 3
    assert build(4, normalize, Dropout(0.5), 3).prefix == 1


def test_dense_builds_a_multilayer_perceptron():
    """Preprocessing, Flatten where needed, hidden layers with Dropout, logits; biases are zero."""
    network = Network.dense(
        (2, 3), (5, 4), 2, "tanh", preprocessing=[Normalize(0.5, 0.25)], dropout=0.1
    )
    kinds = [layer.kind for layer in network.layers]
    block = ["dense", "activation", "dropout"]
    assert kinds == ["normalize", "flatten", *block, *block, "dense"]
    assert network.dtype == np.float32
    assert [a.shape for a in network.parameters().values()] == [
        (6, 5),
        (5,),
        (5, 4),
        (4,),
        (4, 2),
        (2,),
    ]
    assert not any(a.any() for name, a in network.parameters().items() if name.endswith("bias"))


def test_dense_draws_are_keyed_by_seed_and_layer():
    """The same seed gives the same bits; another hidden layer leaves the earlier ones as they are."""
    one, again, other = (Network.dense(6, (5,), 3, seed=s) for s in (1, 1, 2))
    assert one.equals(again)
    assert not np.array_equal(one.layers[0].kernel, other.layers[0].kernel)
    longer = Network.dense(6, (5, 4), 3, seed=1)
    assert np.array_equal(longer.layers[0].kernel, one.layers[0].kernel)
    assert not np.array_equal(Network.dense(5, (5, 5), 5).layers[0].kernel, np.eye(5))


def test_dense_without_hidden_layers_is_linear():
    """Logistic regression is a network too."""
    assert [layer.kind for layer in Network.dense(4, (), 3).layers] == ["dense"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"hidden": (0,)}, "layer sizes must be positive whole numbers, got 0"),
        ({"hidden": (2.5,)}, "layer sizes must be positive whole numbers, got 2.5"),
        ({"hidden": (True,)}, "layer sizes must be positive whole numbers, got True"),
        ({"outputs": -3}, "layer sizes must be positive whole numbers, got -3"),
        ({"outputs": "3"}, "layer sizes must be positive whole numbers, got '3'"),
        ({"activation": "swish"}, "Activation.function 'swish' is not one of"),
        ({"initializer": "zeros"}, "initializer 'zeros' is not one of glorot_uniform, he_normal"),
        ({"dtype": np.float16}, "a network is float32 or float64, not float16"),
        ({"dtype": np.int32}, "a network is float32 or float64, not int32"),
        ({"dropout": 1.0}, "Dropout.rate must be in"),
    ],
)
def test_dense_refuses_bad_arguments(arguments, message):
    """One line that names the argument and the rule."""
    with pytest.raises(NetworkError, match=message):
        Network.dense(4, **arguments)


@given(networks())
@settings(max_examples=30)
def test_casts_round_trip(network):
    """float64 → float32 → float64 is exact for float32 values, and the outputs agree to 1e-5."""
    narrow, x = network.astype(np.float32), inputs(network)
    assert narrow.dtype == np.float32
    assert narrow.astype(np.float64).equals(network)
    scale = np.abs(network.forward(x)).max() or 1
    assert np.abs(narrow.forward(x) - network.forward(x)).max() < 1e-5 * scale


@given(networks())
@settings(max_examples=30)
def test_parameters_round_trip(network):
    """`with_parameters(parameters())` is the same network, and shares what has no parameters."""
    again = network.with_parameters(network.parameters())
    assert again.equals(network)
    for old, new in zip(network.layers, again.layers, strict=True):
        assert new is old or old.trainable


def test_with_parameters_leaves_the_callers_arrays_alone():
    """They stay writable, and writing to them changes no network; what nobody can write to is shared."""
    network, bias = build(4, 5, "relu", 3), np.ones(3)
    changed = network.with_parameters({"layers.2.bias": bias})
    assert bias.flags.writeable
    bias[:] = 7
    assert changed.layers[2].bias.tolist() == [1, 1, 1]
    again = changed.with_parameters(network.parameters())
    assert again.layers[0].kernel is network.layers[0].kernel


def test_with_parameters_replaces_only_what_is_named():
    """The other layers are the same objects."""
    network = build(4, 5, "relu", 3)
    changed = network.with_parameters({"layers.2.bias": np.ones(3)})
    assert changed.layers[0] is network.layers[0]
    assert changed.layers[2].bias.tolist() == [1, 1, 1]
    assert np.array_equal(changed.layers[2].kernel, network.layers[2].kernel)
    assert not network.equals(changed)


def test_replace_shares_what_it_leaves_alone():
    """One layer may become none, one or several."""
    network = build(4, 4, "relu", "tanh", 3)
    edited = network.replace({1: (), 2: (Activation("gelu"), Dropout(0.5))})
    assert [layer.kind for layer in edited.layers] == ["dense", "activation", "dropout", "dense"]
    assert edited.layers[0] is network.layers[0]
    assert edited.layers[3] is network.layers[3]


def test_equality_is_of_structure_and_bits():
    """Another dtype, function, bias, order or shape is another network; -0.0 is not 0.0."""
    network = build((2, 4), 3, "relu", Flatten(), 2)
    assert network.equals(build((2, 4), 3, "relu", Flatten(), 2))
    zero, minus = (Network(1, [Dense([[value]])]) for value in (0.0, -0.0))
    others = [
        network.astype(np.float32),
        build((2, 4), 3, "tanh", Flatten(), 2),
        build((2, 4), Unbiased(3), "relu", Flatten(), 2),
        build((2, 4), 3, Flatten(), "relu", 2),
        build((2, 4), 3, "relu", Flatten(), 2, seed=1),
        Network((1, 2, 4), network.layers),
    ]
    assert not any(network.equals(other) for other in others)
    assert not zero.equals(minus)


def test_networks_are_values():
    """No field can be set, and edits leave the original as it was."""
    network = build(4, 3)
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        network.layers = ()
    assert repr(network) == "<Network 4-3, 15 parameters, float64>"
