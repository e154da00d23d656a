"""Races: candidates train from one state on the same batches, and are judged on loss plus the price of size.

After successive halving (Jamieson, Talwalkar: Non-stochastic best arm identification and hyperparameter
optimization, 2016), but for the halving: a field of three is too small for it. To drop the worse of two
candidates behind the first rung was measured on MNIST, and chose worse.
"""

from collections.abc import Generator, Sequence
from math import inf
from typing import Any

import attrs

from nas_surgery.strategies.default.course import Course, Head, standard_error
from nas_surgery.strategies.default.moves import Move
from nas_surgery.strategies.jobs import Job, Outcome, Round

Verdict = Generator[Round, list[Outcome], Head | None]
SHARES = (1.0, 0.5, 0.25)  # of a rung; what is shorter still tells next to nothing


@attrs.frozen
class Terms:
    """name: for the journal. rungs: steps of each rung. price: nats for each doubling of parameters,
    for this race. doubt: standard errors by which a winner must be ahead of the control."""

    name: str
    rungs: tuple[int, ...]
    price: float
    doubt: float = 0.0


@attrs.frozen(eq=False)
class Runner:
    """A candidate: how far it has come, and what is still to be done to it.

    control: whether this is the network without surgery.
    """

    move: Move
    head: Head
    control: bool = False


def race(course: Course, candidates: Sequence[Runner], terms: Terms) -> Verdict:
    """Race candidates against the unchanged network; the winner, or None if there was no race.

    A further rung that the budget has no room for is left out: the one before decides.
    """
    runners, raced = [control(course), *candidates], False
    for rung, wanted in enumerate(terms.rungs):
        field, steps = affordable(course, runners, wanted)
        if not steps or (rung and len(field) < len(runners)):
            break
        runners, raced = (yield from _rung(course, field, steps, rung, terms)), True
    if not raced or not runners:
        return None
    return _winner(course, runners, terms).head


def control(course: Course) -> Runner:
    """The network that goes on, as it is."""
    return Runner(Move.stay(course.place.outcome.network), course.place, control=True)


def affordable(course: Course, runners: Sequence[Runner], wanted: int) -> tuple[list[Runner], int]:
    """Who can race, and for how many steps, such that each of them could still win; 0 for no race.

    So could the network that they come from, if all of them fail. A winner has to be trained to the
    end within the budget. First the rung is shortened; then the largest candidates stay away.
    """
    field = list(runners)
    while len(field) > 1:
        sizes = [runner.move.topology.macs for runner in field]
        smallest = min(course.place.macs, *sizes)
        left = course.total - field[0].head.outcome.step
        for share in SHARES:
            steps = round(min(wanted, left) * share)
            jobs = [(size, steps) for size in sizes]
            if steps and course.budget.affords(course.spent, jobs, smallest, left - steps):
                return field, steps
        field.remove(max((r for r in field if not r.control), key=lambda r: r.move.topology.macs))
    return field, 0


def fits(course: Course, move: Move, steps: int) -> bool:
    """Whether this move could race against the unchanged network."""
    return affordable(course, [control(course), Runner(move, course.place)], steps)[1] > 0


def _winner(course: Course, runners: Sequence[Runner], terms: Terms) -> Runner:
    """The runner of the least loss and price; the control, where it is there and only perhaps behind."""
    first = min(runners, key=lambda runner: _rank(course, runner, terms))
    for runner in runners:
        if runner.control and runner is not first:
            behind = _rank(course, runner, terms)[0] - _rank(course, first, terms)[0]
            error = standard_error(runner.head.outcome, first.head.outcome)
            return runner if behind <= terms.doubt * error else first
    return first


def _rank(course: Course, runner: Runner, terms: Terms) -> tuple[float, int]:
    return course.value(runner.head.outcome, terms.price), runner.head.outcome.job


def _rung(
    course: Course, runners: Sequence[Runner], steps: int, rung: int, terms: Terms
) -> Generator[Round, list[Outcome], list[Runner]]:
    """Train everybody for the same steps; those that hold a valid network afterwards."""
    jobs = [course.job(r.head.outcome.job, steps, "candidate", r.move.operations) for r in runners]
    heads = [runner.head for runner in runners]
    asked = {"event": terms.name, "rung": rung, "entries": _entries(runners, jobs)}
    outcomes = yield from course.ask(jobs, asked, heads)
    finished = [
        attrs.evolve(runner, head=head, move=attrs.evolve(runner.move, operations=()))
        for runner, outcome in zip(runners, outcomes, strict=True)
        if (head := course.heir(runner.head, outcome)) is not None
    ]
    heads = [runner.head for runner in finished]
    yield from course.note(_judgement(course, outcomes, rung, terms), heads)
    return finished


def _entries(runners: Sequence[Runner], jobs: Sequence[Job]) -> list[dict[str, Any]]:
    return [
        {
            "job": job.id,
            "what": runner.move.label,
            "parameters": runner.move.topology.parameter_count,
            "macs": runner.move.topology.macs,
        }
        for runner, job in zip(runners, jobs, strict=True)
    ]


def _judgement(
    course: Course, outcomes: Sequence[Outcome], rung: int, terms: Terms
) -> dict[str, Any]:
    """Losses, what size costs each, and who leads."""
    values = {outcome.job: course.value(outcome, terms.price) for outcome in outcomes}
    valid = [outcome for outcome in outcomes if values[outcome.job] < inf]
    leader = min(valid, key=lambda o: (values[o.job], o.job), default=None)
    return {
        "event": f"{terms.name}: judged",
        "rung": rung,
        "price": terms.price,
        "losses": {str(o.job): o.loss for o in valid},
        "size_prices": {str(o.job): values[o.job] - o.loss for o in valid},
        "failed": [o.job for o in outcomes if values[o.job] == inf],
        "selected": [] if leader is None else [leader.job],
    }
