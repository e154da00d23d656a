from itertools import combinations
from math import inf, log2

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas_surgery.network import Activation, Add, Concat, Dense, Network
from nas_surgery.reports.boxes import Box, boxes_of, edges, follow, layout, matched
from nas_surgery.testing.networks import forked, networks


def dense(fan_in, units):
    return Dense(np.zeros((fan_in, units), np.float32), np.zeros(units, np.float32))


def test_boxes_are_what_makes_or_joins_channels():
    """Activations are part of the wire; a join has its sign; inputs and outputs are told apart."""
    network = Network(
        (4, 4),
        [
            dense(4, 8),
            Activation("relu"),
            dense(8, 8),
            Add(),
            Concat(),
            *Network.dense((4, 16)).layers,
        ],
        {3: (1, 2), 4: (3, 0)},
    )
    boxes = boxes_of(network)
    assert [box.text for box in boxes] == ["4×4", "8", "8", "+", "∪", "10", "10"]
    assert [box.kind for box in boxes] == [
        "input",
        "hidden",
        "hidden",
        "join",
        "join",
        "hidden",
        "output",
    ]
    assert [box.sources for box in boxes[1:5]] == [(-1,), (0,), (0, 2), (3, 0)]


def row(*widths):
    """An input of 5, hidden boxes and an output of 3."""
    hidden = [Box(i, w, str(w), "hidden", (i - 1,)) for i, w in enumerate(widths)]
    last = len(widths)
    return [Box(-1, 5, "5", "input"), *hidden, Box(last, 3, "3", "output", (last - 1,))]


rows = st.lists(st.integers(1, 300), max_size=5)


@given(rows, rows)
def test_boxes_are_matched_in_order_at_the_least_change(before, after):
    """Against every pairing that keeps the order, where origins say nothing."""
    found = matched(row(*before), row(*after), [None] * (len(after) + 1))
    assert found[0] == 0
    assert found[len(after) + 1] == len(before) + 1
    inner = sorted((new, old) for new, old in found.items() if 0 < new <= len(after))
    assert inner == sorted(inner, key=lambda pair: pair[1])
    assert len(inner) == min(len(before), len(after))
    cost = sum(abs(log2(after[new - 1] / before[old - 1])) for new, old in inner)
    assert cost == pytest.approx(_least(before, after), abs=1e-9)


def _least(before, after):
    size = min(len(before), len(after))
    return min(
        (
            sum(abs(log2(b / a)) for a, b in zip(olds, news, strict=True))
            for olds in combinations(before, size)
            for news in combinations(after, size)
        ),
        default=inf,
    )


def test_origins_say_which_layer_is_which():
    """Of two equal layers the first is new, because the second comes from the first of before."""
    found = matched(row(10, 20), row(10, 10, 20), [None, 0, 1, 2])
    assert found == {0: 0, 2: 1, 3: 2, 4: 3}


def test_a_layer_keeps_its_key_through_widening_and_gets_none_back_after_removal():
    """Three steps of a chain: one layer, two, and the second alone."""
    chains = [Network.dense((5,), hidden) for hidden in ((8,), (16, 4), (4,))]
    origins = [(), (None, None, None, None, None), (None, None, 4)]
    steps = follow(chains, origins)
    first, second, third = (step.keys for step in steps)
    assert second[0] == first[0]
    assert second[1] == first[1]
    assert second[2] not in first
    assert second[-1] == first[-1]
    assert set(third) < set(second)


@given(st.one_of(forked(), networks(max_hidden=4)), st.one_of(forked(), networks(max_hidden=4)))
def test_every_wire_runs_forward_and_no_two_boxes_share_a_place(one, other):
    """In each step of a layout over both."""
    steps = follow([one, other], [(), [None] * len(other.layers)])
    places = layout(steps)
    for step in steps:
        assert len({(places[key].column, places[key].lane) for key in step.keys}) == len(step.keys)
        for start, end in edges(step):
            assert places[start].column < places[end].column


@given(networks(max_hidden=4))
def test_a_chain_is_one_row(network):
    """All on the first lane, in the order of its layers."""
    (step,) = follow([network], [()])
    places = layout([step])
    assert [places[key].lane for key in step.keys] == [0] * len(step.keys)
    assert [places[key].column for key in step.keys] == list(range(len(step.keys)))
