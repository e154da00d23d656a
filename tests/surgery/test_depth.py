import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas_surgery.network import ACTIVATIONS, Dense, Dropout, Flatten
from nas_surgery.surgery import (
    exact_activation,
    factor_layer,
    group_functions,
    insert_identity,
    merge_into_reader,
    singular_components,
)
from nas_surgery.testing.builders import Unbiased, build
from nas_surgery.testing.networks import inputs, networks, seeds


def change(network, surgery):
    """Largest change of the outputs, scaled."""
    x = inputs(network)
    before = network.forward(x)
    return np.abs(surgery.network.forward(x) - before).max() / (np.abs(before).max() or 1)


@pytest.mark.parametrize("inserted", ACTIVATIONS)
@pytest.mark.parametrize("function", ACTIVATIONS)
def test_an_identity_layer_is_proved_only_where_it_is_exact(function, inserted):
    """Linear behind anything; the same activation where it is idempotent (eq. 3); else approximate."""
    network = build(3, 4, function, 2)
    surgery = insert_identity(network, network.groups()[0].writers[0], inserted)
    exact = inserted == "linear" or (inserted == function and ACTIVATIONS[function].idempotent)
    assert surgery.promise.exact == exact
    error = change(network, surgery)
    if exact:
        assert error == 0
    else:
        assert inserted in surgery.promise.reason


@pytest.mark.parametrize("function", ["tanh", "leaky_relu", "gelu"])
def test_a_second_activation_that_is_not_idempotent_changes_the_function(function):
    """Approximate is not just caution."""
    network = build(3, 4, function, 2)
    assert (
        change(network, insert_identity(network, network.groups()[0].writers[0], function)) > 1e-3
    )


def test_the_identity_stands_behind_the_activation():
    """Dense, relu, [Dense, relu], Dropout, Dense."""
    network = build(3, 4, "relu", Dropout(0.5), 2)
    edited = insert_identity(network, network.groups()[0].writers[0], "relu").network
    kinds = [layer.kind for layer in edited.layers]
    assert kinds == ["dense", "activation", "dense", "activation", "dropout", "dense"]
    assert np.array_equal(edited.layers[2].kernel, np.eye(4))
    assert not edited.layers[2].bias.any()


def test_the_identity_stands_before_a_flatten():
    """Behind it the channels of all positions would be one axis."""
    network = build((2, 3), 4, Flatten(), "relu", 2)
    surgery = insert_identity(network, network.groups()[0].writers[0], "relu")
    assert surgery.network.layers[1].kernel.shape == (4, 4)
    assert surgery.promise.exact
    assert change(network, surgery) == 0


@given(networks(), st.data())
def test_the_default_activation_keeps_the_function(network, data):
    """`exact_activation` is exact wherever the group stands."""
    group = data.draw(st.sampled_from(network.groups()))
    surgery = insert_identity(
        network, group.writers[0], exact_activation(network, group.writers[0])
    )
    assert surgery.promise.exact
    assert change(network, surgery) < 1e-14


@pytest.mark.parametrize(
    ("items", "functions"),
    [
        ((4,), ()),
        ((4, "tanh"), ("tanh",)),
        ((4, Dropout(0.1), "relu"), ("relu",)),
        ((4, "linear", "relu"), ("relu",)),
        ((4, "tanh", Dropout(0.1), Flatten(), "gelu", "linear"), ("tanh", "gelu")),
    ],
)
def test_the_activations_of_a_group_are_found(items, functions):
    """Every one between writer and reader counts, whatever stands before it; linear ones do nothing."""
    network = build(3, *items, 2)
    assert group_functions(network, network.groups()[0]) == functions


@pytest.mark.parametrize(
    ("items", "function", "exact"),
    [
        (("linear", "relu"), "relu", True),
        (("relu", "linear"), "relu", True),
        (("relu", "tanh"), "relu", False),
        (("tanh", "relu6"), "relu6", True),
        (("relu", "leaky_relu"), "relu", False),
        (("tanh", Flatten(), "relu"), "relu", True),
    ],
)
def test_an_identity_among_several_activations(items, function, exact):
    """It stands behind the last one before a Flatten, and is exact with that one or the next."""
    network = build(3, 4, *items, 2)
    surgery = insert_identity(network, network.groups()[0].writers[0], function)
    assert surgery.promise.exact == exact
    assert not exact or change(network, surgery) < 1e-14


@given(networks(st.just("linear"), min_hidden=1), st.data())
def test_linear_layers_merge_exactly(network, data):
    """A' = A_j A_{j+1}, b' = b_j A_{j+1} + b_{j+1} (eqs. 11, 12), at every position of a Flatten."""
    group = data.draw(st.sampled_from(network.groups()))
    surgery = merge_into_reader(network, group)
    assert surgery.promise.exact
    assert change(network, surgery) < 1e-12
    assert len(surgery.network.groups()) == len(network.groups()) - 1


@pytest.mark.parametrize("biases", [(True, True), (True, False), (False, True), (False, False)])
def test_merging_computes_the_product(biases):
    """With each combination of biases; the activation between is dropped and named."""
    first, second = (5 if biases[0] else Unbiased(5)), (3 if biases[1] else Unbiased(3))
    network = build(4, first, "relu", second)
    surgery = merge_into_reader(network, network.groups()[0])
    (merged,) = surgery.network.layers
    writer, reader = network.layers[0], network.layers[2]
    assert np.allclose(merged.kernel, writer.kernel @ reader.kernel, atol=1e-14)
    shift = (writer.bias @ reader.kernel if biases[0] else 0) + (reader.bias if biases[1] else 0)
    assert np.allclose(merged.bias if any(biases) else 0, shift, atol=1e-14)
    assert (merged.bias is None) == (not any(biases))
    assert not surgery.promise.exact
    assert "relu" in surgery.promise.reason


def test_merging_before_a_flatten_keeps_it():
    """The reader then reads the old inputs of the writer at each position."""
    network = build((2, 3), 4, "linear", Flatten(), Dropout(0.5), 2)
    surgery = merge_into_reader(network, network.groups()[0])
    assert [layer.kind for layer in surgery.network.layers] == ["flatten", "dense"]
    assert surgery.network.layers[1].kernel.shape == (6, 2)
    assert change(network, surgery) < 1e-12


@given(st.integers(1, 6), st.integers(1, 6), st.data())
def test_factors_lose_no_more_than_the_dropped_singular_values(fan_in, units, data):
    """‖W - A B‖ is σ_{r+1} in the spectral norm and √Σσ² in the Frobenius norm: no product is closer."""
    network = build(fan_in, units, "tanh", 2, seed=data.draw(seeds))
    rank = data.draw(st.integers(1, min(fan_in, units)))
    surgery = factor_layer(network, 0, rank)
    first, second = surgery.network.layers[:2]
    assert first.bias is None
    assert second.bias is network.layers[0].bias
    lost = singular_components(network.layers[0]).values[rank:]
    difference = network.layers[0].kernel - first.kernel @ second.kernel
    assert abs(np.linalg.norm(difference) - np.linalg.norm(lost)) < 1e-12
    assert np.linalg.norm(difference, 2) < (lost[0] if lost.size else 0) + 1e-12
    x = inputs(network)
    moved = x @ difference
    assert np.all(
        np.linalg.norm(moved, axis=1)
        <= (lost[0] if lost.size else 0) * np.linalg.norm(x, axis=1) + 1e-12
    )


def test_factoring_is_proved_exactly_at_full_rank():
    """Rank 2 of a rank-2 kernel is exact; rank 1 is not."""
    generator = np.random.default_rng(0)
    kernel = generator.normal(size=(6, 2)) @ generator.normal(size=(2, 5))
    network = build(6, 5, "relu", 3).replace({0: (Dense(kernel, np.ones(5)),)})
    exact, lossy = factor_layer(network, 0, 2), factor_layer(network, 0, 1)
    assert exact.promise.exact
    assert change(network, exact) < 1e-12
    assert not lossy.promise.exact
    assert change(network, lossy) > 1e-3
