import attrs
import numpy as np
import pytest
from hypothesis import given

from nas_surgery.network import (
    Activation,
    Add,
    Concat,
    Dense,
    Dropout,
    Flatten,
    Group,
    Layer,
    Network,
    Reader,
)
from nas_surgery.network.atoms import channel_groups
from nas_surgery.testing.builders import build, random_dense
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


def dense(fan_in, units):
    return random_dense(np.random.default_rng(0), fan_in, units)


@given(networks())
def test_atoms_give_chains_the_groups_that_one_walk_gives(network):
    """Two ways to the same groups."""
    assert channel_groups(network.layers, network.sources, network.atoms) == network.groups()


def test_a_sum_ties_what_its_sources_write():
    """In a residual stream one layer reads the group and writes it."""
    layers = [dense(4, 3), dense(3, 3), Add(), Activation("relu"), dense(3, 2)]
    network = Network(4, layers, {2: (0, 1)})
    assert network.groups() == (Group(3, (0, 1), (Reader(1), Reader(4)), (2, 3)),)


def test_readers_of_a_concatenation_see_each_group_where_it_begins():
    """Also where a Flatten tiles both, and where one is there twice."""
    layers = [dense(4, 3), dense(4, 2), Concat(), Flatten(), dense(16, 2)]
    network = Network((2, 4), layers, {1: (-1,), 2: (0, 1, 0)})
    assert network.groups() == (
        Group(3, (0,), (Reader(4, 4, (0, 5, 8, 13)),), (2, 3)),
        Group(2, (1,), (Reader(4, 2, (3, 11)),), (2, 3)),
    )
    twice = Network(4, [dense(4, 3), Concat(), dense(6, 2)], {1: (0, 0)})
    assert twice.groups() == (Group(3, (0,), (Reader(2, 2),), (1,)),)


@pytest.mark.parametrize(
    ("layers", "wires"),
    [
        ([dense(4, 4), Add(), dense(4, 2)], {1: (-1, 0)}),  # tied to the input
        ([dense(4, 3), dense(4, 3), Add()], {1: (-1,), 2: (0, 1)}),  # the output
        (  # of what one layer writes, another writes a part
            [dense(4, 3), dense(4, 2), Concat(), dense(4, 5), Add(), dense(5, 2)],
            {1: (-1,), 2: (0, 1), 3: (-1,), 4: (2, 3)},
        ),
        (  # two channels of one layer, tied to one of another
            [dense(4, 1), Concat(), dense(4, 2), Add(), dense(2, 2)],
            {1: (0, 0), 2: (-1,), 3: (1, 2)},
        ),
        ([dense(4, 4), Mute(), Add(), dense(4, 2)], {2: (0, 1)}),
    ],
)
def test_channels_that_are_tied_otherwise_are_left_alone(layers, wires):
    """To the input, the output, a part of others or a layer that says nothing."""
    assert Network(4, layers, wires).groups() == ()


def test_ties_across_concatenations():
    """a beside b, plus b beside a: one group that is read twice."""
    layers = [dense(4, 2), dense(4, 2), Concat(), Concat(), Add(), dense(4, 2)]
    network = Network(4, layers, {1: (-1,), 2: (0, 1), 3: (1, 0), 4: (2, 3)})
    assert network.groups() == (Group(2, (0, 1), (Reader(5, 2),), (2, 3, 4)),)
