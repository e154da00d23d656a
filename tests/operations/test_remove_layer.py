import numpy as np
import pytest

from nas_surgery.operations import Context, RemoveLayer
from nas_surgery.testing.builders import Unbiased, build
from nas_surgery.testing.networks import inputs


def test_weights_are_multiplied_onto_the_next_layer():
    """A' = A_j A_{j+1}, b' = b_j A_{j+1} + b_{j+1} (eqs. 11, 12); the rest is shared."""
    network = build(4, 5, "tanh", 6, "relu", 3)
    edited = RemoveLayer(2)(network)
    assert edited.hidden == (5,)
    assert edited.layers[:2] == network.layers[:2]
    writer, reader = network.layers[2], network.layers[4]
    assert np.allclose(edited.layers[2].kernel, writer.kernel @ reader.kernel, atol=1e-14)
    assert np.allclose(edited.layers[2].bias, writer.bias @ reader.kernel + reader.bias, atol=1e-14)


def test_a_linear_layer_goes_exactly():
    """No activation stands between: the function stays."""
    network = build(4, 5, 6, "relu", 3)
    surgery = RemoveLayer(0).apply(network)
    assert surgery.promise.exact
    x = inputs(network)
    assert np.allclose(surgery.network.forward(x), network.forward(x), rtol=0, atol=1e-13)


def test_dropping_an_activation_is_approximate():
    """The promise names it."""
    surgery = RemoveLayer(0, "product").apply(build(4, 5, "gelu", 3))
    assert not surgery.promise.exact
    assert surgery.promise.reason == "the gelu between is dropped"


@pytest.mark.parametrize(
    "items", [("linear", "relu"), ("relu", "linear"), ("linear", "relu", "tanh")]
)
def test_no_activation_hides_behind_another(items):
    """What stands between counts as a whole: the first being linear proves nothing."""
    network = build(4, 5, *items, 3)
    surgery = RemoveLayer(0, "product").apply(network)
    assert not surgery.promise.exact
    between = ", ".join(name for name in items if name != "linear")
    assert surgery.promise.reason.startswith(f"the {between} between ")
    x = inputs(network)
    fitted = RemoveLayer(0).apply(network, Context(probe=x))
    assert fitted.predicted > 0


@pytest.mark.parametrize("hidden", [5, Unbiased(5)])
def test_the_last_hidden_layer_may_go(hidden):
    """What is left is a linear model."""
    edited = RemoveLayer(0)(build(4, hidden, "relu", Unbiased(3)))
    assert edited.hidden == ()
    assert (edited.layers[0].bias is None) == isinstance(hidden, Unbiased)
