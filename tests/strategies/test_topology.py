import json

import pytest
from hypothesis import given

from nas_surgery.strategies.topology import describe_topology, skeleton
from nas_surgery.testing.networks import forked, networks
from nas_surgery.testing.zoo import ZOO


@given(networks() | forked())
def test_a_skeleton_has_the_structure_that_was_described(network):
    """All but the weights: shapes, sources, groups and sizes."""
    again = skeleton(describe_topology(network))
    assert again.shapes == network.shapes
    assert again.sources == network.sources
    assert again.groups() == network.groups()
    assert again.macs == network.macs
    assert describe_topology(again) == describe_topology(network)


@pytest.mark.parametrize("name", ZOO)
def test_of_any_architecture_a_journal_gives_the_same(name):
    """Settings that are lists are not taken for shapes of arrays, and what JSON gives is described alike."""
    network = ZOO[name]()
    text = json.dumps(describe_topology(network))
    again = skeleton(json.loads(text))
    assert again.shapes == network.shapes
    assert again.groups() == network.groups()
    assert json.dumps(describe_topology(again)) == text


@given(networks())
def test_of_a_chain_no_wires_are_described(network):
    """Journals of chains are what they always were."""
    assert set(describe_topology(network)) == {"input_shape", "dtype", "layers"}
