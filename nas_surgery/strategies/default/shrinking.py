"""The second phase of the default strategy: remove what the network can do without."""

from collections.abc import Generator, Sequence
from math import inf, log2

import attrs

from nas_surgery.strategies.default.course import Course, Head, Steps
from nas_surgery.strategies.default.moves import Move, Moves
from nas_surgery.strategies.default.race import Runner, Terms, fits, race
from nas_surgery.strategies.default.settings import DefaultSettings
from nas_surgery.strategies.default.stretches import train
from nas_surgery.strategies.jobs import Outcome, Round

Answer = Generator[Round, list[Outcome], bool]
Choice = Generator[Round, list[Outcome], Runner | None]


def shrink(course: Course, moves: Moves, settings: DefaultSettings) -> Steps:
    """Train, remove what can go, one removal after the other while they pay; and again."""
    pause = course.steps(settings.pause)
    if course.finished:
        return
    yield from train(course, course.steps(settings.removal_from) - pause - course.step, settings)
    while course.step < course.steps(settings.removal_until) and not course.finished:
        before = course.place.outcome
        if not (yield from train(course, pause, settings)):
            return
        pace = learning_pace(before, course.place.outcome)
        while not course.finished and (yield from _removed(course, moves, settings, pace)):
            pass


def learning_pace(before: Outcome, after: Outcome) -> float:
    """Nats of validation loss gained for each batch trained."""
    steps = after.step - before.step
    return (before.loss - after.loss) / steps if steps else 0.0


def _removed(course: Course, moves: Moves, settings: DefaultSettings, pace: float) -> Answer:
    """Race the most promising removal against the unchanged network; whether it won.

    While a network gains more in the length of a race than a removal is worth, it is not yet known
    what it needs.
    """
    place = course.place
    rung = course.steps(settings.removal_rung, settings.least_batches)
    price = settings.price * settings.foresight
    narrower = moves.narrower(place.outcome.network, place.excluded, settings.removal)
    worth = [move for move in narrower if price * halvings(place, move) > pace * rung]
    affordable = [move for move in worth if fits(course, move, rung)]
    narrowed = yield from _least_damage(course, affordable, 2 * price)
    if narrowed is None:
        return False
    winner = yield from race(course, [narrowed], Terms("removal", (rung,), price))
    if winner is None:
        return False
    return course.go_on_with(winner, price) and winner.outcome.parameters < place.outcome.parameters


def trim(course: Course, moves: Moves, settings: DefaultSettings) -> Steps:
    """Remove what can go while the network stays as accurate as was asked for."""
    while True:
        place = course.place
        rung = course.steps(settings.removal_rung, settings.least_batches)
        steps = min(rung, course.total - course.step)
        narrower = moves.narrower(place.outcome.network, place.excluded, settings.removal)
        affordable = [move for move in narrower if _pays(course, move, steps)]
        narrowed = yield from _least_damage(course, affordable)
        if narrowed is None:
            return
        job = course.job(narrowed.head.outcome.job, steps, "candidate")
        (outcome,) = yield from course.ask([job], {"event": "trimming"}, [narrowed.head])
        head = course.heir(narrowed.head, outcome)
        if head is None or not course.reaches(outcome):
            return
        course.settle_on(head)


def _pays(course: Course, move: Move, steps: int) -> bool:
    """Whether the books allow for the smaller network to be trained, and to win."""
    macs = move.topology.macs
    return course.budget.affords(course.spent, [(macs, steps)], macs)


def halvings(place: Head, move: Move) -> float:
    """How often the move halves the parameters."""
    return log2(place.outcome.parameters / move.topology.parameter_count)


def _least_damage(course: Course, moves: Sequence[Move], most: float | None = None) -> Choice:
    """The removal that costs least loss for each halving of the parameters, before any retraining.

    None if even that costs more than `most`: a race's training makes up for half of it at best.
    """
    if not moves:
        return None
    place = course.place
    jobs = [course.job(place.outcome.job, 0, "candidate", move.operations) for move in moves]
    decision = {"event": "removal: damage", "entries": [move.label for move in moves]}
    outcomes = yield from course.ask(jobs, decision)
    slopes: dict[str, float] = {}
    least, chosen = inf if most is None else most, None
    for move, outcome in zip(moves, outcomes, strict=True):
        head = course.heir(place, outcome)
        if head is None:
            continue
        slope = slopes[str(outcome.job)] = damage(place.outcome, outcome)
        if slope < least:
            least, chosen = slope, Runner(attrs.evolve(move, operations=()), head)
    raced = None if chosen is None else chosen.head.outcome.job
    found = {"event": "removal: damage measured", "slopes": slopes, "most": most, "raced": raced}
    yield from course.note(found, [] if chosen is None else [chosen.head])
    return chosen


def damage(before: Outcome, after: Outcome) -> float:
    """Nats of validation loss for each halving of the parameters."""
    return (after.loss - before.loss) / log2(before.parameters / after.parameters)
