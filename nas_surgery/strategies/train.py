"""Training without surgery: what a start topology reaches by itself, at whatever price."""

from typing import ClassVar

import attrs

from nas_surgery.strategies.jobs import Outcome, Round
from nas_surgery.strategies.strategy import JobFactory, Search, Setting, Strategy
from nas_surgery.validators import whole


@attrs.frozen
class TrainStrategy(Strategy):
    """Training alone, for `max_epochs`.

    checkpoints: networks on the way, evenly spread, of which the most accurate on the validation part
    wins; of equals the last.
    """

    judges_by_score: ClassVar[bool] = False
    uses: ClassVar[tuple[str, ...] | None] = ()

    checkpoints: int = attrs.field(default=1, validator=whole(1))

    def search(self, setting: Setting) -> Search:
        jobs, best, parent = JobFactory(), None, None
        total = setting.max_epochs * setting.steps_per_epoch
        for i in range(self.checkpoints):
            steps = total * (i + 1) // self.checkpoints - total * i // self.checkpoints
            job = jobs.make(parent, steps, "branch")
            (outcome,) = yield Round((job,), *held(best, parent))
            if outcome.failed:
                return job.id if best is None else best.job
            if best is None or outcome.accuracy >= best.accuracy:
                best = outcome
            parent = job.id
            if reached(setting, outcome):
                break
        assert best is not None, "there is at least one checkpoint"
        return best.job


def held(best: Outcome | None, parent: int | None) -> tuple[tuple[int, ...], int | None]:
    """What a round must not forget, and the result if the run stops there."""
    jobs = {job for job in (parent, None if best is None else best.job) if job is not None}
    return tuple(sorted(jobs)), None if best is None else best.job


def reached(setting: Setting, outcome: Outcome) -> bool:
    """Whether a network is as accurate as was asked for."""
    target = setting.target_accuracy
    return target is not None and outcome.accuracy >= target
