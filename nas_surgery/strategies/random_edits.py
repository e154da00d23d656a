"""Surgery by lot: what the edits of the default strategy do where nothing judges them."""

from typing import ClassVar

import attrs

from nas_surgery.network import keyed_generator
from nas_surgery.operations import Operation
from nas_surgery.strategies.default.moves import Move, Moves
from nas_surgery.strategies.jobs import Job, Outcome, Round
from nas_surgery.strategies.recommender import Limits
from nas_surgery.strategies.strategy import JobFactory, Search, Setting, Strategy, moved
from nas_surgery.strategies.train import held, reached
from nas_surgery.validators import number

GROWTH, REMOVAL = 2.0, 0.7  # factors of widths, as in the default strategy
AMPLE = 20  # parameters for each training sample: more than the default strategy comes to


@attrs.frozen
class RandomEditsStrategy(Strategy):
    """The moves of the default strategy at the times of its races, chosen by lot and never judged.

    warm_up, pause: training before the first edit, and behind each, as shares of `max_epochs`. until:
    when edits end.
    """

    judges_by_score: ClassVar[bool] = False
    uses: ClassVar[tuple[str, ...] | None] = ("add_neurons", "add_layer", "remove_neurons")

    warm_up: float = attrs.field(default=0.06, validator=number(above=0, maximum=1))
    pause: float = attrs.field(default=0.04, validator=number(above=0, maximum=1))
    until: float = attrs.field(default=0.3, validator=number(minimum=0, maximum=1))

    def search(self, setting: Setting) -> Search:
        total = setting.max_epochs * setting.steps_per_epoch
        excluded, last = setting.limits.exclude, None
        jobs, position = JobFactory(), max(1, round(self.warm_up * total))
        job = jobs.make(None, position, "pretrain")
        while True:
            (outcome,) = yield Round((job,), *held(last, job.parent))
            kept = behind(excluded, job, outcome)
            if kept is None:
                return job.id if last is None else last.job
            last, excluded = outcome, kept
            if position >= total or reached(setting, outcome):
                return job.id
            racing = position < self.until * total
            steps = max(1, round(self.pause * total)) if racing else total - position
            edit = self._edit(setting, outcome, excluded) if racing else ()
            job = jobs.make(job.id, min(steps, total - position), "branch", edit)
            position += job.steps

    def _edit(
        self, setting: Setting, outcome: Outcome, excluded: tuple[int, ...]
    ) -> tuple[Operation, ...]:
        """One of: widen, deepen, narrow one layer, nothing."""
        moves, network = Moves(setting.operations, ample(setting)), outcome.network
        kinds: tuple[list[Move], ...] = (
            moves.wider(network, excluded, GROWTH),
            moves.deeper(network, excluded),
            moves.narrower(network, excluded, REMOVAL),
            [],
        )
        generator = keyed_generator(setting.seed, "random edits", outcome.job)
        kind = kinds[generator.integers(len(kinds))]
        return kind[generator.integers(len(kind))].operations if kind else ()


def behind(excluded: tuple[int, ...], job: Job, outcome: Outcome) -> tuple[int, ...] | None:
    """Where the layers to be left alone stand behind a job; None if it failed, or changed one of them."""
    if outcome.failed:
        return None
    return moved(excluded, outcome) if job.operations else excluded


def ample(setting: Setting) -> Limits:
    """The limits of the run, or what is more than enough for the data."""
    most = AMPLE * setting.training_samples
    limit = setting.limits.max_parameters
    return attrs.evolve(setting.limits, max_parameters=most if limit is None else min(limit, most))
