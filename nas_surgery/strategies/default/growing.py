"""The first phase of the default strategy: races between the network, a wider and a deeper one."""

from nas_surgery.strategies.default.course import Course, Steps
from nas_surgery.strategies.default.moves import Moves
from nas_surgery.strategies.default.race import Runner, Terms, race
from nas_surgery.strategies.default.settings import DefaultSettings
from nas_surgery.validators import settled


def grow(course: Course, moves: Moves, settings: DefaultSettings) -> Steps:
    """Race after race, until the unchanged network wins, nothing may grow, or time is up."""
    ample = settings.ample * course.setting.training_samples
    rung = course.steps(settled(settings.growth_rung), settings.least_batches)
    terms = Terms(
        "growth",
        (rung,) * settings.growth_rungs,
        settings.price / settings.foresight,
        settings.growth_doubt,
    )
    lost = 0
    while lost < settings.patience and not course.finished:
        network, excluded = course.place.outcome.network, course.place.excluded
        late = course.step >= course.steps(settings.growth_until)
        if late or network.parameter_count >= ample:
            return
        yield from revive(course, moves)
        larger = [
            *moves.wider(network, excluded, settings.growth),
            *moves.deeper(network, excluded),
        ]
        candidates = [Runner(move, course.place) for move in larger]
        winner = yield from race(course, candidates, terms)
        if winner is None:
            return
        lost = lost + 1 if winner.outcome.parameters == network.parameter_count else 0
        course.go_on_with(winner, terms.price)


def revive(course: Course, moves: Moves) -> Steps:
    """Replace silent units, if there are any: the function stays, so nothing has to be raced."""
    place = course.place
    edits = moves.revival(place.outcome.network, place.excluded)
    if not edits:
        return
    job = course.job(place.outcome.job, 0, "candidate", edits)
    (outcome,) = yield from course.ask([job], {"event": "revival"})
    head = course.heir(place, outcome)
    if head is not None and None in outcome.origins:
        course.go_on_with(head)
