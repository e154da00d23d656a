import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas_surgery.network import Flatten
from nas_surgery.operations import (
    AddLayer,
    AddNeurons,
    Context,
    Identity,
    RemoveLayer,
    RemoveNeurons,
    TruncatedSVD,
)
from nas_surgery.surgery import carry_slots
from nas_surgery.testing.builders import Unbiased, build, labelled
from nas_surgery.testing.networks import inputs, networks, seeds
from nas_surgery.testing.oracles import numerical_gradient

SLOTS = ("velocity", "second_moment")


def random_slots(network, seed=0):
    """Any values in the shapes of the parameters."""
    generator = np.random.default_rng(seed)
    return {
        slot: {
            name: np.abs(generator.normal(size=array.shape)).astype(array.dtype)
            for name, array in network.parameters().items()
        }
        for slot in SLOTS
    }


def shapes(arrays):
    return {name: array.shape for name, array in arrays.items()}


@pytest.mark.parametrize("function", ["relu", "tanh", "linear"])
@pytest.mark.parametrize("positions", [1, 2])
@pytest.mark.parametrize("edit", [AddNeurons(0, 3, "split"), AddNeurons(0, 4)])
def test_a_carried_gradient_is_the_gradient_of_the_edited_network(function, positions, edit):
    """Take the gradient for a running mean: carried over, it is what finite differences give behind
    an exact surgery, except for the new units, which start at zero."""
    shape = 3 if positions == 1 else (positions, 3)
    middle = [function] if positions == 1 else [function, Flatten()]
    network = build(shape, 5, *middle, 4, seed=2)
    samples = labelled(network, 12)
    before = numerical_gradient(network, samples, "cross_entropy")
    surgery = edit.apply(network, Context(1, probe=samples.x))
    after = numerical_gradient(surgery.network, samples, "cross_entropy")
    moved = carry_slots({"velocity": before}, network, surgery)["velocity"]
    kept = 8 if edit.method == "split" else 5
    writer, reader = "layers.0.kernel", f"layers.{len(network.layers) - 1}.kernel"
    assert np.allclose(moved[writer][:, :kept], after[writer][:, :kept], atol=1e-7)
    assert np.allclose(moved["layers.0.bias"][:kept], after["layers.0.bias"][:kept], atol=1e-7)
    old = moved[reader].reshape(positions, -1, 4)[:, :kept]
    assert np.allclose(old, after[reader].reshape(positions, -1, 4)[:, :kept], atol=1e-7)
    assert not moved[writer][:, kept:].any()
    assert not moved[reader].reshape(positions, -1, 4)[:, kept:].any()


def test_projections_go_by_the_transposed_maps():
    """E = V_r and D = V_rᵀ: the writer's moments are projected like its weights, the reader's too;
    second moments by the squares of the coefficients."""
    network = build(4, 5, 3)
    surgery = RemoveNeurons(0, keep=2, method="svd").apply(network)
    directions = np.linalg.svd(network.layers[0].kernel)[2][:2].T
    held = random_slots(network)
    moved = carry_slots(held, network, surgery)
    for slot, power in (("velocity", 1), ("second_moment", 2)):
        signed = directions if slot == "second_moment" else _signs(surgery, network, directions)
        writer = held[slot]["layers.0.kernel"] @ signed**power
        reader = (signed**power).T @ held[slot]["layers.1.kernel"]
        assert np.allclose(moved[slot]["layers.0.kernel"], writer, atol=1e-12)
        assert np.allclose(moved[slot]["layers.1.kernel"], reader, atol=1e-12)
        assert np.array_equal(moved[slot]["layers.1.bias"], held[slot]["layers.1.bias"])


def _signs(surgery, network, directions):
    """The directions with the signs that the edited kernel shows."""
    ratio = np.sum(surgery.network.layers[0].kernel * (network.layers[0].kernel @ directions), 0)
    return directions * np.sign(ratio)


@given(networks(min_hidden=2), seeds, st.sampled_from(["add", "pairs", "layer", "keep", "drop"]))
def test_every_parameter_keeps_state_of_its_own_shape(network, seed, kind):
    """Whatever the surgery, backends find slots for each parameter, finite and of its dtype."""
    layer = network.groups()[-1].writers[0]
    size = network.groups()[-1].size
    edit = {
        "add": AddNeurons(layer, 2, "split"),
        "pairs": AddNeurons(layer, 3),
        "layer": AddLayer(layer, units=3),
        "keep": RemoveNeurons(layer, keep=1) if size > 1 else Identity(),
        "drop": RemoveLayer(layer),
    }[kind]
    surgery = edit.apply(network, Context(seed, probe=inputs(network, 30, seed)))
    moved = carry_slots(random_slots(network, seed), network, surgery)
    for slot in SLOTS:
        assert shapes(moved[slot]) == shapes(surgery.network.parameters())
        assert all(np.isfinite(array).all() for array in moved[slot].values())
        assert all(array.dtype == network.dtype for array in moved[slot].values())
    assert all((array >= 0).all() for array in moved["second_moment"].values())


def test_untouched_layers_keep_their_state_at_their_new_address():
    """A layer is inserted before them: the very same arrays, two places on."""
    network = build(4, 5, "relu", 6, "relu", 3)
    held = random_slots(network)
    moved = carry_slots(held, network, AddLayer(0).apply(network))
    for slot in SLOTS:
        for old, new in ((0, 0), (2, 4), (4, 6)):
            name = "layers.{}.kernel".format
            assert moved[slot][name(new)] is held[slot][name(old)]
        assert not moved[slot]["layers.2.kernel"].any()


def test_two_surgeries_in_one_carry_state_through_both():
    """An identity layer with new units: its reader keeps its state for the old channels."""
    network = build(4, 5, "relu", 3)
    held = random_slots(network)
    moved = carry_slots(held, network, AddLayer(0, units=2).apply(network))
    for slot in SLOTS:
        assert not moved[slot]["layers.2.kernel"].any()
        reader = moved[slot]["layers.4.kernel"]
        assert np.array_equal(reader[:5], held[slot]["layers.2.kernel"])
        assert not reader[5:].any()


@pytest.mark.parametrize("edit", [TruncatedSVD(0, 2), RemoveLayer(0)])
def test_layers_made_anew_start_at_zero(edit):
    """Merged and factored layers have no state to inherit; the others keep theirs."""
    network = build(4, 5, "relu", 3, "relu", 2)
    surgery = edit.apply(network, Context(probe=np.random.default_rng(0).normal(size=(9, 4))))
    held = random_slots(network)
    moved = carry_slots(held, network, surgery)["velocity"]
    last = f"layers.{len(surgery.network.layers) - 1}.kernel"
    assert moved[last] is held["velocity"]["layers.4.kernel"]
    assert not moved["layers.0.kernel"].any()


def test_a_bias_that_surgery_adds_starts_at_zero():
    """The reader had none, so there is no state for it."""
    network = build(4, 5, Unbiased(3))
    surgery = RemoveNeurons(0, keep=2, method="svd").apply(network)
    moved = carry_slots(random_slots(network), network, surgery)
    assert surgery.network.layers[1].bias is not None
    assert not moved["velocity"]["layers.1.bias"].any()


def test_plain_sgd_has_nothing_to_carry():
    """No slots in, no slots out."""
    network = build(4, 5, "relu", 3)
    assert carry_slots({}, network, AddNeurons(0, 2).apply(network)) == {}
