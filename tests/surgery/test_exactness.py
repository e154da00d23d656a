import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas_surgery.network import ACTIVATIONS, Dense, Dropout, Flatten, Passes
from nas_surgery.surgery import (
    Exactness,
    Fresh,
    WidthMap,
    approximate,
    change_width,
    map_kind,
    proved,
    selection,
)
from nas_surgery.testing.builders import Unbiased, build
from nas_surgery.testing.networks import activations, inputs, networks, seeds

SWAP = np.array([[0.0, 1.0], [1.0, 0.0]])


@pytest.mark.parametrize(
    ("matrix", "kind"),
    [
        (np.eye(3), Passes.SELECTION),
        (SWAP, Passes.SELECTION),
        (np.eye(3)[:, [0, 0, 2]], Passes.SELECTION),
        (np.diag([1.0, 0.5]), Passes.MONOMIAL),
        (np.diag([1.0, -1.0]), Passes.ANY),
        (np.diag([1.0, 0.0]), Passes.ANY),
        (np.ones((2, 2)), Passes.ANY),
        (selection(np.array([1, 1]), 2), Passes.SELECTION),
        (selection(np.array([1, 1]), 2, np.array([0.5, 0.5])), Passes.MONOMIAL),
    ],
)
def test_maps_are_classified(matrix, kind):
    """Copies and drops; positive factors; anything else."""
    assert map_kind(matrix) is kind


def edit(network, change):
    """The promise about the first group, and the scaled change of the outputs."""
    surgery = change_width(network, network.groups()[0], change)
    x = inputs(network)
    before, after = network.forward(x), surgery.network.forward(x)
    return surgery.promise, np.abs(after - before).max() / np.abs(before).max()


@pytest.mark.parametrize("function", ACTIVATIONS)
@pytest.mark.parametrize(
    ("name", "encode"),
    [("selection", SWAP), ("monomial", np.diag([2.0, 0.5])), ("any", np.diag([-1.0, 2.0]))],
)
def test_an_invertible_map_is_proved_where_the_activation_lets_it_through(function, name, encode):
    """h E D = h always; so exactness depends on the activation alone, and the outputs agree with it."""
    network = build(3, 2, function, 2)
    promise, error = edit(network, WidthMap(encode, np.linalg.inv(encode)))
    wanted = network.layers[1].passes >= map_kind(encode)
    assert promise.exact == wanted
    assert error < 1e-12 if wanted else error > 1e-3
    if not wanted:
        assert function in promise.reason


def test_the_blocking_layer_is_the_one_named():
    """Flatten and Dropout let everything through; the second activation does not."""
    network = build((2, 3), 2, Dropout(0.5), "relu", Flatten(), "tanh", 2)
    promise, error = edit(network, WidthMap(np.diag([2.0, 1.0]), np.diag([0.5, 1.0])))
    assert promise == approximate("tanh does not let this change of channels through")
    assert error > 1e-3


@pytest.mark.parametrize("function", ACTIVATIONS)
def test_pairs_of_new_units_cancel_exactly(function):
    """Two equal new units with outgoing weights +v and -v change nothing, for every activation."""
    network = build(3, 2, function, 2)
    kernel = np.repeat([[1.0], [2.0], [-1.0]], 2, axis=1)
    decode = np.array([[1.0, 0], [0, 1], [3, -2], [-3, 2]])
    change = WidthMap(np.eye(2, 4), decode, fresh=(Fresh(kernel, np.full(2, 0.5)),))
    promise, error = edit(network, change)
    assert promise.exact
    assert error < 1e-12


@pytest.mark.parametrize(
    ("kernel", "bias", "outgoing"),
    [
        ([[1.0, 1], [2, 2], [3, 4]], [0.0, 0], [1.0, -1]),  # not the same unit twice
        ([[1.0, 1], [2, 2], [3, 3]], [0.0, 1], [1.0, -1]),  # not the same bias
        ([[1.0, 1], [2, 2], [3, 3]], [0.0, 0], [1.0, -0.9]),  # not opposite
        ([[1.0, 1], [2, 2], [3, 3]], [0.0, 0], [1.0, 1]),
    ],
)
def test_new_units_that_do_not_cancel_are_approximate(kernel, bias, outgoing):
    """The promise never claims more than holds."""
    decode = np.vstack([np.eye(2), np.outer(outgoing, [1.0, 2.0])])
    change = WidthMap(np.eye(2, 4), decode, fresh=(Fresh(np.array(kernel), np.array(bias)),))
    promise, error = edit(build(3, 2, "tanh", 2), change)
    assert promise == approximate("new units change the output")
    assert error > 1e-4


@given(activations, seeds)
def test_new_units_without_outgoing_weights_are_exact(function, seed):
    """Whatever they compute."""
    generator = np.random.default_rng(seed)
    fresh = Fresh(generator.normal(size=(3, 2)), generator.normal(size=2))
    promise, error = edit(
        build(3, 2, function, 2), WidthMap(np.eye(2, 4), np.eye(4, 2), fresh=(fresh,))
    )
    assert promise.exact
    assert error < 1e-12


@pytest.mark.parametrize("bias", [True, False])
def test_unused_directions_of_a_linear_layer_may_go(bias):
    """A kernel of rank 2 reaches a plane, shifted by b: projecting on it is exact, with o = b (I - E D)."""
    generator = np.random.default_rng(0)
    kernel = generator.normal(size=(4, 2)) @ generator.normal(size=(2, 5))
    network = build(4, 5 if bias else Unbiased(5), 3)
    network = network.replace({0: (Dense(kernel, network.layers[0].bias),)})
    encode = np.linalg.svd(kernel)[2][:2].T
    shift = network.layers[0].bias if bias else np.zeros(5)
    offset = shift - shift @ encode @ encode.T
    promise, error = edit(network, WidthMap(encode, encode.T, offset))
    assert promise == proved("the dropped directions are never used")
    assert error < 1e-12
    if bias:
        promise, error = edit(network, WidthMap(encode, encode.T))
        assert promise == approximate("channels are lost")
        assert error > 1e-3


def test_an_offset_that_nothing_calls_for_is_approximate():
    """Keeping every channel and adding a constant to one is no identity."""
    promise, error = edit(build(4, 5, "relu", 3), WidthMap(np.eye(5), np.eye(5), np.eye(5)[0]))
    assert promise == approximate("channels are lost")
    assert error > 1e-3


def test_used_directions_may_not_go():
    """One dimension less than the rank loses something, and says so."""
    network = build(4, 5, 3)
    encode = np.linalg.svd(network.layers[0].kernel)[2][:3].T
    promise, error = edit(network, WidthMap(encode, encode.T))
    assert promise == approximate("channels are lost")
    assert error > 1e-3


@given(networks(), st.data())
def test_what_is_proved_holds(network, data):
    """Random maps of every kind: where the promise is exact, the outputs agree to 1e-10."""
    group = data.draw(st.sampled_from(network.groups()))
    generator = np.random.default_rng(data.draw(seeds))
    indices = generator.integers(group.size, size=data.draw(st.integers(1, 8)))
    weights = (
        generator.choice([1.0, 0.5, 2.0, -1.0, 0.0], len(indices))
        if data.draw(st.booleans())
        else None
    )
    encode = selection(indices, group.size, weights).toarray()
    surgery = change_width(network, group, WidthMap(encode, np.linalg.pinv(encode)))
    if surgery.promise.exact:
        x = inputs(network)
        before = network.forward(x)
        assert np.abs(surgery.network.forward(x) - before).max() <= 1e-10 * (
            np.abs(before).max() or 1
        )


def test_exact_means_proved():
    """A measured agreement is not a proof."""
    assert proved("because").exact
    assert not approximate("because").exact
    assert {e.value for e in Exactness} == {"proved", "measured", "approximate"}
