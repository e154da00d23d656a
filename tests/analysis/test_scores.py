from functools import partial
from itertools import product
from math import exp, inf, isfinite, isnan, nan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import nas_surgery as ns
from nas_surgery.analysis.scores import OFFERED, call_score, paper_score, wanted
from nas_surgery.errors import PluginError

TABLE_1 = [
    # accuracy, accuracy gain, parameter fraction, score: as printed, each to four places
    ("remove layer", 0.6023, 0.0274, 0.9977, 0.9812),
    ("identity", 0.6016, 0.0268, 1.0000, 0.9795),
    ("remove 1 neuron", 0.5829, 0.0081, 0.9997, 0.9539),
    ("add layer", 0.5773, 0.0025, 1.0030, 0.9450),
    ("add 20 neurons", 0.5678, -0.0070, 2.6544, 0.6377),
]
HALF = 0.5e-4  # what rounding to four places may have taken or added


@pytest.mark.parametrize(("operation", "a", "gain", "size", "score"), TABLE_1)
def test_table_1_follows_from_its_rounded_inputs(operation, a, gain, size, score):
    """The printed score lies in the interval that the rounding of inputs and output leaves open.

    Eq. 16 rises with a and Δa and falls with Δf, so the ends of the interval are at the corners of the
    box of inputs that round to the printed ones. The identity's Δf is exactly 1.
    """
    slack = 0 if operation == "identity" else HALF
    corners = [
        paper_score(a + da, gain + dg, size + df)
        for da, dg, df in product((-HALF, HALF), (-HALF, HALF), (-slack, slack))
    ]
    assert min(corners) - HALF <= score <= max(corners) + HALF
    assert max(corners) - min(corners) < 4e-4, "an interval this narrow excludes other formulas"


def test_table_1_ranks_as_printed():
    """The two with an asterisk are the best two."""
    scores = [paper_score(a, gain, size) for _, a, gain, size, _ in TABLE_1]
    assert scores == sorted(scores, reverse=True)


accuracies = st.floats(0, 1)
gains = st.floats(-1, 1)
sizes = st.floats(0.01, 10)
steps = st.floats(1e-3, 0.5)


@given(accuracies, gains, sizes, steps)
def test_the_papers_score_has_the_properties_that_the_paper_asks_for(a, gain, size, step):
    """Rising with accuracy and gain, falling with size, also at gain 0 and at fraction 1."""
    for g, f in ((gain, size), (0.0, size), (gain, 1.0), (0.0, 1.0)):
        now = paper_score(a, g, f)
        assert now == pytest.approx(a + exp(g - f))
        assert paper_score(a + step, g, f) > now
        assert paper_score(a, g + step, f) > now
        assert paper_score(a, g, f + step) < now


@given(st.lists(st.floats(-1e6, 1e12), min_size=2, max_size=5), st.floats(0.01, 1e4))
def test_the_papers_score_keeps_its_order_where_exp_would_overflow(many, size):
    """R² gains have no bound: a network that had diverged may be mended."""
    many = sorted(many)
    scores = [paper_score(0.5, gain, size) for gain in many]
    assert all(isfinite(score) for score in scores)
    assert scores == sorted(scores)
    assert (
        paper_score(0.5, 800.0, 1.0) < paper_score(0.5, 801.0, 1.0) < paper_score(0.5, 801.0, 0.9)
    )
    assert (
        paper_score(0.5, 499.9, 1.0) < paper_score(0.5, 500.1, 1.0) < paper_score(0.5, 501.5, 1.0)
    )


def test_scores_are_found_by_name():
    """The public face of eq. 16, and accuracy alone."""
    assert ns.score("paper")(accuracy=0.5, gain=0.0, size_fraction=1.0) == 0.5 + exp(-1)
    assert ns.score("accuracy")(accuracy=0.25) == 0.25
    with pytest.raises(PluginError, match="unknown score 'papre'; did you mean 'paper'"):
        ns.score("papre")


OFFER = dict.fromkeys(OFFERED, 2.0)


def test_a_score_gets_what_its_signature_names():
    """And nothing else; arguments that nobody offers keep their defaults."""

    def score(macs, accuracy, weight=10.0, *, loss=nan):
        return macs + accuracy + weight + loss

    assert wanted(score) == ("macs", "accuracy", "loss")
    assert call_score(score, OFFER) == 16
    assert call_score(partial(score, weight=0.0), OFFER) == 6
    assert call_score(lambda: 3, OFFER) == 3


@pytest.mark.parametrize(
    "score", [lambda foo: 0.0, lambda accuracy, *rest: 0.0, lambda **rest: 0.0, lambda loss, /: 0.0]
)
def test_a_score_that_asks_for_more_is_refused(score):
    """With what is on offer."""
    with pytest.raises(
        PluginError, match=r"nobody provides .*; on offer by name are accuracy, gain"
    ):
        wanted(score)


@pytest.mark.parametrize("value", [1, 1.5, np.float32(1.5), np.array(2.0), -inf])
def test_any_number_is_a_score(value):
    """NumPy's too, as a float."""
    found = call_score(lambda: value, OFFER)
    assert type(found) is float
    assert found == float(value)
    assert isnan(call_score(lambda: nan, OFFER))


@pytest.mark.parametrize("value", [None, "1", True, 1j, [1.0]])
def test_anything_else_is_not(value):
    """The message shows what came back."""
    with pytest.raises(PluginError, match="not a number"):
        call_score(lambda: value, OFFER)
