"""Heads that are turned compute what they did, and what matters least in them stands last."""

import attrs
import numpy as np
import pytest

from nas_surgery.network import Dense, keyed_generator
from nas_surgery.surgery.heads import turned_heads
from nas_surgery.surgery.narrowing import narrowed
from nas_surgery.testing.zoo import ZOO, zoo_inputs


def turned(name, seed=0):
    network = ZOO[name](seed=seed, dtype=np.float64)
    x = zoo_inputs(network, 24, seed)
    return network, x, *turned_heads(network, x)


@pytest.mark.parametrize("name", ["vit", "transformer"])
def test_outputs_stay_what_they_are(name):
    """To rounding, on inputs that were not looked at."""
    network, _, found, strengths = turned(name)
    new = zoo_inputs(network, 8, seed=9)
    before, after = network.forward(new), found.forward(new)
    assert np.abs(after - before).max() <= 1e-9 * np.abs(before).max()
    assert strengths


def test_strengths_fall_within_each_head():
    """They are positive, one for each channel of the group."""
    network, _, _, strengths = turned("vit")
    groups = {group.writers[0]: group for group in network.groups()}
    for writer, powers in strengths.items():
        heads = groups[writer].step
        assert powers.shape == (groups[writer].size,)
        assert np.all(np.diff(powers.reshape(heads, -1), axis=1) <= 1e-12)


def test_the_last_channels_of_heads_of_low_rank_cost_nothing():
    """Queries that use one direction of each head: all others go, and the outputs stay."""
    network = ZOO["vit"](dtype=np.float64)
    group = next(group for group in network.groups() if group.ends)
    address, heads = group.writers[0], group.step
    layer = network.layers[address]
    assert isinstance(layer, Dense)
    generator = keyed_generator(1, "direction")
    width = layer.units // heads
    directions = generator.normal(size=(heads, width))
    kernel = (generator.normal(size=(layer.fan_in, heads, 1)) * directions).reshape(
        layer.kernel.shape
    )
    bias = (generator.normal(size=(heads, 1)) * directions).ravel()
    network = network.replace({address: (attrs.evolve(layer, kernel=kernel, bias=bias),)})
    x = zoo_inputs(network, 24)
    found, _ = turned_heads(network, x)
    again = next(g for g in found.groups() if g.writers == group.writers)
    firsts = np.arange(heads) * width
    small, _ = narrowed(found, [(again, firsts)])
    before = network.forward(x)
    assert np.abs(small.forward(x) - before).max() <= 1e-4 * np.abs(before).max()
    assert small.shapes[address + 1][-1] == heads
