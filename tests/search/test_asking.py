"""What a strategy answers is checked, whoever wrote it."""

import pytest

from nas_surgery.search.asking import GivenUpError, ask
from nas_surgery.strategies.jobs import Failure, Job, Outcome, Round
from nas_surgery.testing.builders import build

KNOWN = {0: Outcome(0, topology=build(3, 4)), 1: Outcome(1, failure=Failure("no"))}
FIRST = Round((Job(0, None), Job(1, None)))


def begun(*answers, winner=0):
    """A search that has asked for two jobs, and goes on with these answers."""

    def search():
        yield FIRST
        for answer in answers:
            if isinstance(answer, BaseException):
                raise answer
            yield answer
        return winner

    made = search()
    assert ask(made, None, {}) is FIRST
    return made


def test_rounds_come_until_the_winner():
    """As the strategy gives them."""
    more = Round((Job(2, 0), Job(3, None)), live=(0, 1), best=0)
    made = begun(more)
    assert ask(made, list(KNOWN.values()), KNOWN) is more
    assert ask(made, [], KNOWN) == 0


WRONG = {
    "must yield Rounds of Jobs, got 3": [3],
    "must yield Rounds of Jobs, got Round": [Round((1,))],
    "asks for job 1 twice": [Round((Job(1, None),))],
    "asks for job 2 twice": [Round((Job(2, None), Job(2, None)))],
    "job 2 of the strategy has no parent 7": [Round((Job(2, 7),))],
    "job 2 of the strategy has no parent 1": [Round((Job(2, 1),))],
    "names job 9": [Round((Job(2, 0),), live=(9,))],
    "names job 8": [Round((Job(2, 0),), best=8)],
    "does not fit a journal": [Round((Job(2, 0),), decision={"why": object()})],
    "ids of jobs count up from 0, got -1": [Round((Job(-1, None),))],
    "the strategy raised ValueError: a": [ValueError("a\nb")],
    "the strategy raised SystemExit: 3": [SystemExit(3)],
}


@pytest.mark.parametrize("reason", WRONG)
def test_what_cannot_be_is_said(reason):
    """The search cannot go on then, which is the driver's to deal with."""
    with pytest.raises(GivenUpError) as given_up:
        ask(begun(*WRONG[reason]), [], KNOWN)
    assert reason in str(given_up.value)
    assert "\n" not in str(given_up.value)


@pytest.mark.parametrize(
    ("fields", "rule"),
    [
        ({"id": None}, "id must be an int, got None"),
        ({"parent": "0"}, "parent must be a whole number ≥ 0, got '0'"),
        ({"operations": ("identity",)}, "operations must be an Operation, got 'identity'"),
        ({"steps": 2.5}, "steps must be a whole number ≥ 0, got 2.5"),
        ({"purpose": 3}, "purpose must be a str, got 3"),
        ({"rate": float("nan")}, "rate must be a number > 0, got nan"),
        ({"average": -1}, "average must be a whole number ≥ 0, got -1"),
    ],
)
def test_a_job_that_could_not_be_carried_out_cannot_be_made(fields, rule):
    """The error is raised in the strategy, where the mistake is."""
    with pytest.raises((TypeError, ValueError), match=rule):
        Job(**{"id": 0, "parent": None, **fields})


@pytest.mark.parametrize("winner", [None, 5, "0"])
def test_a_winner_that_is_no_job_is_said(winner):
    """Such as that of a strategy that forgot to return one."""
    with pytest.raises(GivenUpError, match=f"returned {winner!r} as winner"):
        ask(begun(winner=winner), [], KNOWN)
