import numpy as np
import pytest
from hypothesis import given, settings

from nas_surgery.network import Dense, Network
from nas_surgery.network.rounding import bounded_forward
from nas_surgery.network.roundoff import unit_roundoff
from nas_surgery.testing.builders import build
from nas_surgery.testing.layers import usual
from nas_surgery.testing.networks import inputs, networks, sequences

FLOAT32 = unit_roundoff(np.float32)


@given(networks())
@settings(max_examples=60)
def test_float32_stays_within_the_bound(network):
    """Every output of every random network is as near to float64 as is claimed."""
    x, narrow = 5 * inputs(network), network.astype(np.float32)
    exact, bound = bounded_forward(narrow, x, FLOAT32)
    assert np.all(np.abs(narrow.forward(x) - exact) <= bound)
    assert np.allclose(
        exact, network.forward(x.astype(np.float32).astype(np.float64)), rtol=0, atol=1e-12
    )


@given(sequences())
@settings(max_examples=60)
def test_networks_for_sequences_stay_within_the_bound(network):
    """And it is finite, whatever gates and scores do to it."""
    narrow = network.astype(np.float32)
    x = usual(network.layers[0], network.input_shape, 10)
    exact, bound = bounded_forward(narrow, x, FLOAT32)
    assert np.isfinite(bound).all()
    assert np.all(np.abs(narrow.forward(x) - exact) <= bound)


def test_the_bound_of_one_layer_is_that_of_the_textbook():
    """γ_{n+1} (|x| |W| + |b|), whatever the order of the sums."""
    network = Network(3, [Dense(np.float32([[1], [-2], [3]]), np.float32([4]))])
    _, bound = bounded_forward(network, [[1, 1, -1]], FLOAT32)
    assert FLOAT32 == 2.0**-24
    assert bound[0, 0] == pytest.approx(4 * FLOAT32 / (1 - 4 * FLOAT32) * 10)


def test_the_bound_tells_other_weights_from_rounding():
    """A network of usual size: one weight in ten thousand that is off by a tenth is more than that."""
    network = build(100, 100, "relu", 10, dtype=np.float32)
    x = inputs(network)
    exact, bound = bounded_forward(network, x, FLOAT32)
    assert bound.max() < 1e-3 * np.abs(exact).max()
    kernel = network.layers[0].kernel.copy()
    kernel[0] *= 1.1
    other = network.with_parameters({"layers.0.kernel": kernel})
    assert np.any(np.abs(other.forward(x) - exact) > bound)
