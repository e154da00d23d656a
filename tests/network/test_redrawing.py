from functools import partial

import numpy as np
import pytest

from nas_surgery.network import Network, Normalize, keyed_generator, redrawn


@pytest.mark.parametrize("initializer", ["glorot_uniform", "he_normal"])
def test_a_chain_gets_what_it_would_have_been_made_with(initializer):
    """With the generators of `Network.dense`, any weights become those of that seed; scaling stays."""
    scaling = Normalize(np.full(6, 0.5, np.float32), np.full(6, 2.0, np.float32))
    make = partial(Network.dense, 6, (5, 3), 2, initializer=initializer, preprocessing=(scaling,))
    found = redrawn(make(seed=8), partial(keyed_generator, 3, "init"), initializer)
    expected = make(seed=3)
    assert found.parameters().keys() == expected.parameters().keys()
    for name, array in expected.parameters().items():
        assert np.array_equal(found.parameters()[name], array), name
    x = np.random.default_rng(0).random((4, 6), np.float32)
    assert np.array_equal(found.forward(x), expected.forward(x))


def test_biases_that_were_learned_are_forgotten():
    """They begin at zero again, and keep their dtype."""
    network = Network.dense(4, (3,), 2, seed=0)
    learned = network.with_parameters(
        {name: array + np.float32(1) for name, array in network.parameters().items()}
    )
    found = redrawn(learned, partial(keyed_generator, 0, "init"))
    biases = [array for array in found.parameters().values() if array.ndim == 1]
    assert len(biases) == 2
    assert all(not bias.any() and bias.dtype == np.float32 for bias in biases)
