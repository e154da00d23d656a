import attrs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas_surgery.network import Flatten, keyed_generator
from nas_surgery.operations import (
    OPERATIONS,
    AddLayer,
    AddNeurons,
    Context,
    Identity,
    Operation,
    Proposal,
    RemoveLayer,
    RemoveNeurons,
)
from nas_surgery.strategies.recommender import (
    MODES,
    Candidate,
    Limits,
    Recommender,
    choose,
    rank,
    touches,
    within,
)
from nas_surgery.testing.builders import build
from nas_surgery.testing.networks import networks

ALL = Recommender(OPERATIONS)
NETWORK = build(6, 8, "relu", 7, "relu", 5, "relu", 3)


def candidate(operation, score, parameters=100, branch=0):
    return Candidate(branch, Proposal(operation, score, ""), parameters)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 4)), max_size=12))
def test_ranking_is_by_score_and_then_by_fewer_parameters(criteria):
    """Equals stay in the order in which they came."""
    found = [candidate(AddLayer(i), score, size) for i, (score, size) in enumerate(criteria)]
    ranked = rank(found)
    keys = [(-c.proposal.score, c.parameters, c.operation.layer) for c in ranked]
    assert keys == sorted(keys)
    assert sorted(found, key=id) == sorted(ranked, key=id)


@given(networks(), st.integers(0, 9))
def test_everything_that_the_operations_propose_is_ranked(network, branch):
    """Each with the parameter count that the edited network then has."""
    candidates = ALL.candidates(branch, network, Limits())
    assert candidates == rank(candidates)
    assert {c.branch for c in candidates} == {branch}
    assert [c.operation.name for c in candidates].count("identity") == 1
    probe = np.ones((4, *network.input_shape))
    for c in candidates:
        if type(c.operation) in (Identity, AddNeurons, AddLayer, RemoveLayer):
            edited = c.operation.apply(network, Context(probe=probe)).network
            assert edited.parameter_count == c.parameters


BRANCHES = [
    candidate(Identity(), 1.0, 100, 0),
    candidate(Identity(), 1.0, 120, 1),
    candidate(AddNeurons(0, 2), 0.9, 150, 1),
    candidate(AddNeurons(0, 2), 0.9, 160, 0),
    candidate(AddLayer(0), 0.8, 140, 0),
    candidate(AddLayer(2), 0.8, 145, 1),
    candidate(RemoveNeurons(0, 1), 0.3, 90, 1),
    candidate(RemoveLayer(0), 0.2, 80, 0),
]


def test_best_per_operation_pools_the_branches():
    """One of each kind from wherever it ranks best, and every branch unchanged."""
    chosen = choose(BRANCHES)
    assert [(c.operation.name, c.branch) for c in chosen] == [
        ("identity", 0),
        ("identity", 1),
        ("add_neurons", 1),
        ("add_layer", 0),
        ("remove_neurons", 1),
        ("remove_layer", 0),
    ]


def test_top_n_takes_the_best_whatever_their_kind():
    """Beside every branch unchanged, which counts for none of them."""
    chosen = choose(BRANCHES, mode="top-n", count=3)
    assert chosen == BRANCHES[:5]
    assert choose(BRANCHES, mode="top-n", count=99) == BRANCHES


@pytest.mark.parametrize("mode", MODES)
def test_one_more_is_drawn_from_what_was_not_chosen(mode):
    """Each of the others with the same probability; without a generator none."""
    plain = choose(BRANCHES, mode=mode, count=3)
    left = [c for c in BRANCHES if c not in plain]
    drawn = []
    for seed in range(300):
        chosen = choose(BRANCHES, mode=mode, count=3, generator=keyed_generator(seed, "test"))
        assert chosen[:-1] == plain
        drawn.append(chosen[-1])
    for c in left:
        assert abs(drawn.count(c) / 300 - 1 / len(left)) < 0.13  # 4.5 standard deviations
    assert all(c in left for c in drawn)


def test_nothing_is_drawn_where_all_was_chosen():
    """There is nothing left."""
    generator = keyed_generator(0, "test")
    assert choose(BRANCHES[:3], generator=generator) == BRANCHES[:3]
    assert choose([], generator=generator) == []


@pytest.mark.parametrize("mode", MODES)
def test_a_redraw_excludes_what_was_tried(mode):
    """Until nothing is left; each candidate is tried once, the identities in the first try."""
    tried = []
    for attempt in range(99):
        generator = keyed_generator(attempt, "test")
        chosen = choose(BRANCHES, tried, mode=mode, count=1, generator=generator)
        if not chosen:
            break
        assert not any(c in tried for c in chosen)
        assert ("identity" in {c.operation.name for c in chosen}) == (attempt == 0)
        tried += chosen
    assert sorted(map(repr, tried)) == sorted(map(repr, BRANCHES))
    assert attempt > 1


@pytest.mark.parametrize("limit", [1, 100, NETWORK.parameter_count, 200, 10_000])
def test_parameters_keep_to_the_limit(limit):
    """What does not grow is always allowed: a start that is too large can shrink."""
    everything = ALL.candidates(0, NETWORK, Limits())
    allowed = ALL.candidates(0, NETWORK, Limits(max_parameters=limit))
    now = NETWORK.parameter_count
    for c in everything:
        fits = c.parameters <= limit or c.parameters < now or c.operation.name == "identity"
        assert (c in allowed) == fits
    assert Identity() in [c.operation for c in allowed]


def test_what_changes_nothing_but_is_too_large_is_left_out():
    """Beyond the limit only the identity may stay as large as it is; everything else must shrink."""
    limits, now = Limits(max_parameters=10), NETWORK.parameter_count
    assert within(Identity(), NETWORK, now, limits)
    assert not within(Numpy(), NETWORK, now, limits)
    assert within(Numpy(), NETWORK, now - 1, limits)
    assert within(Numpy(), NETWORK, now, Limits(max_parameters=now))


def test_a_start_with_too_many_macs_can_shrink():
    """What does not grow is always allowed."""
    found = ALL.candidates(0, NETWORK, Limits(max_macs=1))
    assert {"identity", "remove_neurons", "remove_layer"} <= {c.operation.name for c in found}
    assert "add_neurons" not in {c.operation.name for c in found}


@pytest.mark.parametrize("limit", [1, NETWORK.macs, 180, 10_000])
def test_macs_keep_to_the_limit(limit):
    """Of the edited network, on spatial inputs too."""
    network = build((3, 6), 8, "relu", 7, "relu", Flatten(), 5, "relu", 3)
    for c in ALL.candidates(0, network, Limits(max_macs=limit)):
        probe = np.ones((4, 3, 6))
        edited = c.operation.apply(network, Context(probe=probe)).network
        assert edited.macs <= max(limit, network.macs)


@given(networks(min_hidden=1, max_hidden=3), st.data())
def test_excluded_layers_are_left_alone(network, data):
    """No proposal that is made changes the object at an excluded address."""
    linear = [i for i, layer in enumerate(network.layers) if hasattr(layer, "kernel")]
    excluded = tuple(data.draw(st.sets(st.sampled_from(linear), min_size=1)))
    probe = np.ones((4, *network.input_shape))
    for c in ALL.candidates(0, network, Limits(exclude=excluded)):
        edited = c.operation.apply(network, Context(probe=probe)).network
        kept = {id(layer) for layer in edited.layers}
        assert all(id(network.layers[address]) in kept for address in excluded)


def test_an_excluded_reader_keeps_its_group():
    """A layer's units cannot change while the layer that reads them stays; others can."""
    touched = {layer: touches(RemoveNeurons(layer, 1), NETWORK, (4,)) for layer in (0, 2, 4)}
    assert touched == {0: False, 2: True, 4: True}
    assert not touches(Identity(), NETWORK, (0, 2, 4))


@attrs.frozen
class Broken(Operation):
    name = "broken"

    def apply(self, network, context=None):
        raise NotImplementedError

    @classmethod
    def propose(cls, network, analysis):
        raise ZeroDivisionError("no idea")


@attrs.frozen
class Numpy(Operation):
    """As a plugin may write it: numbers and tuples that JSON does not have, and a probe is needed."""

    name = "numpy"
    count: object = 1

    def apply(self, network, context=None):
        raise ValueError("a probe is needed")

    @classmethod
    def propose(cls, network, analysis):
        values = (np.int64(3), np.float32(0.5), (1, 2))
        return [Proposal(cls(value), np.float32(0.5), "because") for value in values]

    def parameters_after(self, network):
        return np.int64(7)


def test_an_operation_that_raises_proposes_nothing():
    """The others do, and somebody is told."""
    told = []
    operations = {"broken": Broken, **OPERATIONS}
    recommender = Recommender(
        operations, report=lambda name, error: told.append((name, str(error)))
    )
    assert recommender.candidates(0, NETWORK, Limits()) == ALL.candidates(0, NETWORK, Limits())
    assert told == [("broken", "no idea")]
    with pytest.raises(ZeroDivisionError):
        Recommender(operations).candidates(0, NETWORK, Limits())


def test_candidates_are_what_the_journal_gives_back():
    """So that a run that is resumed comes to the same decisions as one that is not."""
    recommender = Recommender({"numpy": Numpy})
    found = recommender.candidates(0, NETWORK, Limits())
    assert [c.operation.count for c in found] == [3, 0.5, [1, 2]]
    assert [type(c.operation.count) for c in found] == [int, float, list]
    for c in found:
        assert Candidate.from_json(c.to_json(), 0, {"numpy": Numpy}) == c


def test_what_cannot_say_its_macs_is_not_held_to_be_within_them():
    """It is left out where there is a limit."""
    recommender = Recommender({"numpy": Numpy})
    assert recommender.candidates(0, NETWORK, Limits(max_macs=10**9)) == []
    assert len(recommender.candidates(0, NETWORK, Limits())) == 3


def test_thresholds_reach_the_analysis():
    """With ε₂ above every singular value, all units are removable and adding scores nothing."""
    scores = {
        c.operation.name: c.proposal.score
        for c in Recommender(OPERATIONS, 0.0, 1e9).candidates(0, build(8, 6, "relu", 4), Limits())
    }
    assert scores["add_neurons"] == scores["add_layer"] == 0
    assert scores["remove_layer"] == 1
