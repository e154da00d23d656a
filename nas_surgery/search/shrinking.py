"""The second phase of the default strategy: remove what the network can do without."""

from collections.abc import Generator, Sequence
from math import log2
from typing import TYPE_CHECKING

from nas_surgery.search.course import Course, Steps
from nas_surgery.search.jobs import Outcome, Round
from nas_surgery.search.moves import Move, Moves
from nas_surgery.search.race import Terms, fits, race
from nas_surgery.search.stretches import train

if TYPE_CHECKING:
    from nas_surgery.search.default import DefaultStrategy

Answer = Generator[Round, list[Outcome], bool]
Choice = Generator[Round, list[Outcome], Move | None]


def shrink(course: Course, moves: Moves, settings: "DefaultStrategy") -> Steps:
    """Try removals, one after the other while they pay, and again later, until they no longer do."""
    yield from train(course, course.steps(settings.removal_from) - course.step, settings)
    while course.step < course.steps(settings.removal_until) and not course.finished:
        if not (yield from _removed(course, moves, settings)):
            yield from train(course, course.steps(settings.pause), settings)


def _removed(course: Course, moves: Moves, settings: "DefaultStrategy") -> Answer:
    """Race the most promising removal against the unchanged network; whether it won."""
    place = course.place
    rung = course.steps(settings.removal_rung, settings.least_batches)
    narrower = moves.narrower(place.outcome.network, place.excluded, settings.removal)
    affordable = [move for move in narrower if fits(course, move, rung)]
    price = settings.price * settings.foresight
    move = yield from _least_damage(course, affordable, 2 * price)
    if move is None:
        return False
    winner = yield from race(course, [move], Terms("removal", (rung,), price))
    if winner is None:
        return False
    course.go_on_with(winner)
    return winner.outcome.parameters < place.outcome.parameters


def _least_damage(course: Course, moves: Sequence[Move], most: float) -> Choice:
    """The removal that costs least loss for each halving of the parameters, before any retraining.

    None if even that costs more than `most`: half an epoch of training makes up for half of it at best.
    """
    if not moves:
        return None
    place = course.place
    jobs = [course.job(place.outcome.job, 0, "candidate", move.operations) for move in moves]
    decision = {"event": "removal: damage", "entries": [move.label for move in moves]}
    outcomes = yield from course.ask(jobs, [place.macs] * len(jobs), decision)
    slopes = [
        (damage(place.outcome, outcome), i)
        for i, outcome in enumerate(outcomes)
        if course.heir(place, outcome) is not None
    ]
    slope, chosen = min(slopes, default=(most, -1))
    found = {"event": "removal: damage measured", "slopes": {str(jobs[i].id): s for s, i in slopes}}
    raced = slope < most
    yield from course.note({**found, "most": most, "raced": jobs[chosen].id if raced else None})
    return moves[chosen] if raced else None


def damage(before: Outcome, after: Outcome) -> float:
    """Nats of validation loss for each halving of the parameters."""
    return (after.loss - before.loss) / log2(before.parameters / after.parameters)
