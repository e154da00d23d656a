import numpy as np
import pytest

from nas_surgery.network import ACTIVATIONS
from nas_surgery.operations import AddLayer
from nas_surgery.testing.builders import build
from nas_surgery.testing.networks import inputs


@pytest.mark.parametrize("function", ACTIVATIONS)
def test_the_default_is_exact_behind_every_activation(function):
    """The same activation where it is idempotent, a linear layer elsewhere: the outputs are bit-identical
    up to the order of sums."""
    network = build(4, 5, function, 3)
    surgery = AddLayer(0).apply(network)
    assert surgery.promise.exact
    assert surgery.network.hidden == (5, 5)
    added = surgery.network.layers[3].function if len(surgery.network.layers) == 5 else "linear"
    assert added == (function if ACTIVATIONS[function].idempotent else "linear")
    x = inputs(network)
    assert np.allclose(surgery.network.forward(x), network.forward(x), rtol=0, atol=1e-14)


def test_another_activation_may_be_asked_for():
    """It is approximate and says why."""
    surgery = AddLayer(0, "tanh").apply(build(4, 5, "tanh", 3))
    assert not surgery.promise.exact
    assert surgery.promise.reason == "tanh does not leave the outputs of tanh alone"
    assert [layer.kind for layer in surgery.network.layers].count("activation") == 2


def test_linear_may_be_asked_for():
    """Exact even behind relu."""
    surgery = AddLayer(0, "linear").apply(build(4, 5, "relu", 3))
    assert surgery.promise.exact
    assert [layer.kind for layer in surgery.network.layers] == [
        "dense",
        "activation",
        "dense",
        "dense",
    ]
