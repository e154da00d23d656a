"""Asking a strategy what is next. It may be a plugin's, so what it answers is checked."""

import json
from collections.abc import Mapping

from nas_surgery.search.journal import plain
from nas_surgery.strategies.jobs import Job, Outcome, Round
from nas_surgery.strategies.strategy import Search


class GivenUpError(Exception):
    """The search cannot go on; why. What it has found is not lost by that."""


def ask(search: Search, told: list[Outcome] | None, known: Mapping[int, Outcome]) -> Round | int:
    """The next round, or the id of the winner at the end.

    told: the outcomes of the round before, None at the beginning. known: all outcomes so far. Raises
    GivenUpError if the strategy raises, or asks for what cannot be.
    """
    try:
        answer = next(search) if told is None else search.send(told)
    except StopIteration as end:
        return _checked_winner(end.value, known)
    except (Exception, SystemExit) as error:
        line = (str(error).splitlines() or [""])[0]
        raise GivenUpError(f"the strategy raised {type(error).__name__}: {line}") from error
    return _checked_round(answer, known)


def _checked_winner(winner: object, known: Mapping[int, Outcome]) -> int:
    if not isinstance(winner, int) or winner not in known:
        raise GivenUpError(f"the strategy returned {winner!r} as winner, which is the id of no job")
    return winner


def _checked_round(answer: object, known: Mapping[int, Outcome]) -> Round:
    if not isinstance(answer, Round) or not all(isinstance(job, Job) for job in answer.jobs):
        raise GivenUpError(f"the strategy must yield Rounds of Jobs, got {answer!r}")
    named = [*answer.live, *([] if answer.best is None else [answer.best])]
    for name in named:
        if name not in known:
            raise GivenUpError(f"the strategy names job {name!r}, which nobody has done")
    taken = set(known)
    for job in answer.jobs:
        _check_job(job, taken, known)
        taken.add(job.id)
    _check_json(answer)
    return answer


def _check_json(answer: Round) -> None:
    try:
        json.dumps(plain([answer.decision, *(job.to_json() for job in answer.jobs)]))
    except (TypeError, ValueError) as error:
        raise GivenUpError(f"what the strategy yields does not fit a journal: {error}") from None


def _check_job(job: Job, taken: set[int], known: Mapping[int, Outcome]) -> None:
    if job.id < 0:
        raise GivenUpError(f"ids of jobs count up from 0, got {job.id!r}")
    if job.id in taken:
        raise GivenUpError(f"the strategy asks for job {job.id} twice")
    if job.parent is not None and (job.parent not in known or known[job.parent].failed):
        raise GivenUpError(f"job {job.id} of the strategy has no parent {job.parent!r}")
