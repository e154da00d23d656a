"""Moves: what they do to a network is what they say, and they keep to limits and exclusions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas_surgery.operations import OPERATIONS
from nas_surgery.strategies.default.moves import Moves
from nas_surgery.strategies.default.sizes import resized, within
from nas_surgery.strategies.recommender import Limits
from nas_surgery.testing.builders import build
from nas_surgery.testing.zoo import ZOO

NETWORKS = [
    build(12, 5, "relu", 4),
    build(12, 9, "tanh", 4, "relu", 7, "relu", 3),
    build(12, 1, "relu", 1, "relu", 2),
    build(6, 30, "relu", 3),
]
PROBE = np.random.default_rng(0).normal(size=(32, 12))


def every_move(moves, network, excluded=()):
    fitting = moves.fitting(network, excluded)
    return [
        *moves.wider(network, excluded, 2.0),
        *moves.deeper(network, excluded),
        *moves.narrower(network, excluded, 0.7),
        *([] if fitting is None else [fitting]),
    ]


def carried_out(move, network):
    for operation in move.operations:
        network = operation.apply(network).network
    return network


@given(
    network=st.sampled_from(NETWORKS),
    parameters=st.none() | st.integers(10, 400),
    macs=st.none() | st.integers(10, 400),
)
def test_a_move_leads_to_the_topology_that_it_says(network, parameters, macs):
    """Layer by layer, so parameters and multiply-accumulates are known before any surgery."""
    for move in every_move(Moves(OPERATIONS, Limits(parameters, macs)), network):
        made = carried_out(move, network)
        assert [type(layer) for layer in made.layers] == [
            type(layer) for layer in move.topology.layers
        ]
        assert made.shapes == move.topology.shapes
        assert made.parameter_count == move.topology.parameter_count


@pytest.mark.parametrize("name", ["mobilenet", "shufflenet", "gru", "vit"])
def test_moves_of_any_architecture_lead_where_they_say(name):
    """With pieces, blocks and branches too; also where half of the parameters have to go."""
    network = ZOO[name]((5, 4) if name == "gru" else (8, 8, 2), 3, 8 if name == "vit" else 4)
    limits = Limits(max_parameters=network.parameter_count // 2)
    moves = every_move(Moves(OPERATIONS, Limits(), removal="magnitude"), network)
    moves.append(Moves(OPERATIONS, limits, removal="magnitude").fitting(network, ()))
    for move in moves:
        made = carried_out(move, network)
        assert made.shapes == move.topology.shapes
        assert made.parameter_count == move.topology.parameter_count
        assert made.macs == move.topology.macs
    assert within(move.topology, limits)


@given(
    network=st.sampled_from(NETWORKS),
    parameters=st.none() | st.integers(10, 400),
    macs=st.none() | st.integers(10, 400),
)
def test_nothing_grows_past_a_limit(network, parameters, macs):
    """Whatever is larger afterwards is within the limits."""
    limits = Limits(parameters, macs)
    for move in every_move(Moves(OPERATIONS, limits), network):
        if move.topology.parameter_count > network.parameter_count:
            assert within(move.topology, limits)


@given(network=st.sampled_from(NETWORKS), limit=st.integers(60, 500))
def test_a_start_is_cut_as_little_as_possible(network, limit):
    """It fits afterwards, and every layer one unit wider would not (or would be the start)."""
    limits = Limits(max_parameters=limit)
    move = Moves(OPERATIONS, limits).fitting(network, ())
    if move is None:
        assert network.parameter_count <= limit
        return
    assert within(move.topology, limits) or set(move.topology.hidden) == {1}
    pairs = zip(network.groups(), move.topology.hidden, strict=True)
    wider = {group.writers[0]: min(group.size, units + 1) for group, units in pairs}
    assert not within(resized(network, wider), limits)


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("excluded", range(6))
def test_excluded_layers_stay_the_same_objects(network, excluded):
    """Whatever is proposed."""
    if excluded >= len(network.layers):
        return
    layer = network.layers[excluded]
    for move in every_move(Moves(OPERATIONS, Limits(20)), network, (excluded,)):
        assert any(held is layer for held in carried_out(move, network).layers)


@pytest.mark.parametrize("network", NETWORKS[:3])
def test_growth_is_exact(network):
    """Wider and deeper networks compute the same, so that a race is about what training makes of them."""
    moves = Moves(OPERATIONS, Limits())
    for move in [*moves.wider(network, (), 2.0), *moves.deeper(network, ())]:
        np.testing.assert_allclose(
            carried_out(move, network).forward(PROBE), network.forward(PROBE), atol=1e-10
        )


def test_operations_that_a_run_lacks_are_not_proposed():
    """Removed by hand, or left out by a broken installation."""
    network = NETWORKS[1]
    assert every_move(Moves({}, Limits(20)), network) == []
    assert Moves({}, Limits()).revival(network, ()) == ()


def test_moves_are_named_for_people():
    """By layer and factor."""
    labels = [move.label for move in every_move(Moves(OPERATIONS, Limits()), NETWORKS[1])]
    assert labels == [
        "all hidden layers × 2",
        "one layer deeper",
        "layer 0 × 0.7",
        "layer 2 × 0.7",
        "layer 4 × 0.7",
    ]
