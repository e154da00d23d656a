"""Training without surgery in the default strategy: the beginning, what lies between races, the end."""

from collections.abc import Generator

import attrs

from nas_surgery.strategies.default.course import Course, Head, Steps
from nas_surgery.strategies.default.moves import Move, Moves
from nas_surgery.strategies.default.settings import DefaultSettings
from nas_surgery.strategies.jobs import Outcome, Round
from nas_surgery.strategies.stopping import PATIENCE
from nas_surgery.validators import settled

FirstJob = Generator[Round, list[Outcome], int]
Arrived = Generator[Round, list[Outcome], bool]
Found = Generator[Round, list[Outcome], Head | None]


def warm_up(course: Course, moves: Moves, settings: DefaultSettings) -> FirstJob:
    """Train the start, cut to the limits if it is too large; the id of the last job.

    A start that diverges is tried again at a lower learning rate.
    """
    start, excluded = course.setting.network, course.setting.limits.exclude
    move = moves.fitting(start, excluded) or Move.stay(start)
    macs = move.topology.macs
    for attempt in range(1 + settings.retries):
        steps = course.budget.steps(course.spent, macs, course.steps(settled(settings.warm_up)))
        job = course.job(None, steps, "pretrain", move.operations)
        decision = {"event": "pre-training", "what": move.label, "try": attempt}
        (outcome,) = yield from course.ask([job], decision)
        head = course.heir(None, outcome)
        if head is not None:
            course.go_on_with(head)
            break
        course.slow_down()
    return job.id


def train(course: Course, steps: int, settings: DefaultSettings) -> Arrived:
    """Train on for so many steps, or as many as the budget allows; at a lower rate if that diverges or
    makes things clearly worse.

    Whether it came all the way: otherwise nothing is left to spend, or no try came to anything.
    """
    end, failed = min(course.step + steps, course.total), 0
    while course.step < end and not course.finished and failed <= settings.retries:
        length = min(end - course.step, course.steps(settings.look) if course.decays else steps)
        head = yield from _stretch(course, length, failed)
        if head is None:
            failed += 1
            course.slow_down()
        elif head is course.head:
            break
        else:
            course.go_on_with(head)
    return course.step >= end


def finish(course: Course, settings: DefaultSettings) -> Steps:
    """Train to the end, and choose between two endings."""
    epochs = max(1, round(settings.ending * course.setting.max_epochs))
    rest = course.total - epochs * course.setting.steps_per_epoch
    while course.step < rest and not course.finished:
        steps = min(rest - course.step, course.steps(settings.pause))
        if not (yield from train(course, steps, settings)):
            break
    left = min(course.total - course.step, epochs * course.setting.steps_per_epoch)
    ending = PATIENCE if course.step < rest and course.impatient else None
    if left and not course.reached:
        yield from _end(course, settings, left, ending)


def refitted(course: Course, settings: DefaultSettings) -> FirstJob:
    """Train the winner on all samples that there are; the id of the job that leads to the result.

    Nothing is left to measure it by, so it must not fit the training samples worse than before.
    """
    setting, winner = course.setting, course.winner
    samples = settings.refit_share(setting) * setting.max_epochs * setting.training_samples
    steps = int(samples / setting.batch_size)
    if not steps or course.reached:
        return winner.outcome.job
    job = course.job(winner.outcome.job, steps, "branch", factor=settings.refit_rate)
    job = attrs.evolve(job, refit=True, parts=0)
    (outcome,) = yield from course.ask([job], {"event": "refit"}, [winner])
    before = max(winner.outcome.loss, winner.outcome.training_loss)
    return winner.outcome.job if outcome.failed or outcome.training_loss > before else job.id


def _end(course: Course, settings: DefaultSettings, steps: int, ending: str | None) -> Steps:
    """The last stretch, cooled and averaged, and as before too if the budget allows.

    ending: why it comes before its time.
    """
    place, epochs = course.place, steps // course.setting.steps_per_epoch
    length = course.budget.steps(course.spent, place.macs, steps)
    if length < 1:
        return
    endings = [(settings.cooling, epochs), (1.0, 0)]
    if not course.budget.affords(course.spent, [(place.macs, length)] * 2, place.macs):
        endings.pop()
    jobs = [
        course.job(place.outcome.job, length, "branch", factor=factor, average=average)
        for factor, average in endings
    ]
    decision = {"event": "ending", "endings": endings}
    outcomes = yield from course.ask(jobs, decision, ending=ending)
    found = [head for outcome in outcomes if (head := course.heir(place, outcome)) is not None]
    if found:
        course.go_on_with(min(found, key=lambda head: course.value(head.outcome)))


def _stretch(course: Course, steps: int, attempt: int) -> Found:
    """What comes of training on, or None if nothing valid does; as it is if the budget has no room."""
    place = course.place
    affordable = course.budget.steps(course.spent, place.macs, steps)
    if affordable < 1:
        return place
    job = course.job(place.outcome.job, affordable, "branch")
    (outcome,) = yield from course.ask([job], {"event": "training", "try": attempt})
    return course.heir(place, outcome)
