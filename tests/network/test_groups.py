import attrs
import numpy as np
import pytest
from hypothesis import given

from nas_surgery.network import Dense, Dropout, Flatten, Group, Layer, Network, Reader
from nas_surgery.testing.builders import build
from nas_surgery.testing.networks import networks


@pytest.mark.parametrize(
    ("network", "groups"),
    [
        (build(4, 3), ()),
        (build(4, 5, 3), (Group(5, (0,), (Reader(1),), ()),)),
        (
            build(4, 5, "relu", Dropout(0.5), 6, "tanh", 3),
            (Group(5, (0,), (Reader(3),), (1, 2)), Group(6, (3,), (Reader(5),), (4,))),
        ),
        (
            build((2, 7, 4), 5, "relu", Flatten(), 3),
            (Group(5, (0,), (Reader(3, positions=14),), (1, 2)),),
        ),
        (build((2, 4), Flatten(), 5, "relu", 3), (Group(5, (1,), (Reader(3),), (2,)),)),
    ],
)
def test_groups_of_known_networks(network, groups):
    """Each hidden linear layer writes one group; what stands between passes; Flatten tiles."""
    assert network.groups() == groups


@attrs.frozen
class Mute(Layer):
    """A layer that does not say where its channels are."""

    kind = "mute"

    def output_shape(self, input_shape):
        return input_shape

    def forward(self, x):
        return np.sort(x)


def test_channels_that_meet_a_layer_that_says_nothing_are_left_alone():
    """Those that it reads are no group; those before and behind are."""
    groups = build(4, 5, "relu", 6, Mute(), 7, 3).groups()
    assert [group.writers for group in groups] == [(0,), (4,)]


@given(networks())
def test_groups_fit_their_layers(network: Network):
    """A group is as wide as its writer, and `positions` copies of it are what its reader reads."""
    linear = [i for i, layer in enumerate(network.layers) if isinstance(layer, Dense)]
    groups = network.groups()
    assert [g.writers for g in groups] == [(i,) for i in linear[:-1]]
    assert [g.readers[0].address for g in groups] == linear[1:]
    assert network.hidden == tuple(g.size for g in groups)
    for group in groups:
        (writer,), (reader,) = group.writers, group.readers
        assert network.layers[writer].units == group.size
        assert network.layers[reader.address].fan_in == group.size * reader.positions
        assert group.passers == tuple(range(writer + 1, reader.address))
