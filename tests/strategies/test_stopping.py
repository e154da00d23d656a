"""When a search has come to its end: what counts as turning in circles, and what a run says of it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import nas_surgery as ns
from nas_surgery.strategies import PaperStrategy, Round
from nas_surgery.strategies.stopping import SIMILAR, distance, returns, stale

A, B, NEAR_A = (100, 40), (80, 40), (102, 40)


@pytest.mark.parametrize(
    ("states", "count"),
    [
        ([], 0),
        ([A], 0),
        ([A, A, A], 0),
        ([A, B], 0),
        ([A, B, A], 1),
        ([A, B, NEAR_A], 1),
        ([A, B, A, B, A], 3),
        ([A, B, A, A, B, B], 2),
        ([A, B, A, (300, 40)], 0),
        ([A, B, A, (300, 40), A, B], 2),
        ([A, (300, 40), (180, 40)], 0),
        ([A, (100, 100, 40), A], 1),
        ([(), (5,), ()], 1),
    ],
)
def test_changes_that_lead_back_are_counted(states, count):
    """Those in a row up to the last; what changes nothing neither counts nor breaks the row."""
    assert returns(states) == count


@given(st.lists(st.integers(1, 30), max_size=12), st.integers(1, 500))
def test_what_only_grows_never_turns_in_circles(steps, start):
    """Even if its steps are far smaller than what counts as near-identical."""
    widths = [(int(width),) for width in start + np.cumsum([0, *steps])]
    assert returns(widths) == 0
    assert returns(widths[::-1]) == 0


@given(*[st.lists(st.integers(1, 400), min_size=1, max_size=3)] * 2)
def test_distances_are_shares(one, other):
    """Between 0, for the same widths, and 1, for other depths; the order does not matter."""
    found = distance(tuple(one), tuple(other))
    assert found == distance(tuple(other), tuple(one))
    assert 0 <= found <= 1
    assert (found == 0) == (one == other)
    assert found == 1 if len(one) != len(other) else found < 1
    assert distance((100,), (96,)) <= SIMILAR < distance((100,), (94,))


def test_a_row_without_progress_begins_behind_the_best():
    """The first of equals: as good as before is no progress."""
    assert [stale([0.5, 0.7, *more]) for more in ([], [0.7], [0.6, 0.7], [0.6, 0.8])] == [
        0,
        1,
        2,
        0,
    ]


@pytest.mark.parametrize("key", ["oscillation", "patience"])
def test_the_paper_knows_no_early_end(key):
    """Both are off, and 0 is refused: there is nothing that has not happened yet."""
    assert getattr(PaperStrategy(), key) is None
    with pytest.raises(ValueError, match=key):
        PaperStrategy(**{key: 0})


def test_a_round_ends_for_a_known_reason():
    """Else a summary would say what nobody knows."""
    with pytest.raises(ValueError, match="ending"):
        Round((), ending="boredom")


def test_a_run_says_why_it_ended(tmp_path):
    """In its summary and its journal; it has ended, so that the baseline is trained and a resume adds nothing."""
    spec = {
        "data": {"source": "sklearn:digits", "train_limit": 300},
        "network": {"hidden": [6]},
        "training": {"learning_rate": 1e-6},
        "search": {
            "strategy": "paper",
            "initial_epochs": 1,
            "epoch_step": 1,
            "max_epochs": 30,
            "patience": 2,
        },
        "run": {"baseline": True},
    }
    result = ns.run(spec, out=tmp_path / "run")
    assert result.summary["stopped"] == "patience"
    assert result.summary["baseline"] is not None
    decisions = [record for record in result.history if record["record"] == "decision"]
    assert [record.get("stopped") for record in decisions][-1] == "patience"
    assert decisions[-1]["epoch"] < 30
    before = (tmp_path / "run" / "journal.jsonl").read_bytes()
    again = ns.resume(tmp_path / "run")
    assert again.summary["stopped"] == "patience"
    assert (tmp_path / "run" / "journal.jsonl").read_bytes() == before
