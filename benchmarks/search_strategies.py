"""The strategies that the search benchmark sets beside the built-in ones; a plugin file, as specs name one."""

import attrs

from nas_surgery.network import keyed_generator
from nas_surgery.strategies import Outcome, Round, Setting, Strategy
from nas_surgery.strategies.default.moves import Moves
from nas_surgery.strategies.strategy import JobFactory, Search

AMPLE = 20  # parameters for each training sample, as in the default strategy


@attrs.frozen
class Train(Strategy):
    """Training alone, for `max_epochs`; the most accurate of `checkpoints` networks on the way wins."""

    checkpoints: int = 1

    def search(self, setting: Setting) -> Search:
        jobs, best, job = JobFactory(), None, None
        total = setting.max_epochs * setting.steps_per_epoch
        for i in range(self.checkpoints):
            steps = total * (i + 1) // self.checkpoints - total * i // self.checkpoints
            job = jobs.make(None if job is None else job.id, steps, "branch")
            (outcome,) = yield Round((job,), *_held(best, job.parent))
            if outcome.failed:
                break
            if best is None or outcome.accuracy >= best.accuracy:
                best = outcome
        return job.id if best is None else best.job


@attrs.frozen
class RandomEdits(Strategy):
    """The moves of the default strategy at the times of its races, chosen by lot and never judged."""

    warm_up: float = 0.06
    pause: float = 0.04
    until: float = 0.3

    def search(self, setting: Setting) -> Search:
        total = setting.max_epochs * setting.steps_per_epoch
        jobs, position, last = JobFactory(), round(self.warm_up * total), None
        job = jobs.make(None, position, "pretrain")
        while True:
            (outcome,) = yield Round((job,), *_held(last, job.parent))
            if outcome.failed:
                return job.id if last is None else last.job
            last = outcome
            if position >= total:
                return job.id
            racing = position < self.until * total
            steps = round(self.pause * total) if racing else total - position
            operations = self._edit(setting, outcome, job.id) if racing else ()
            job = jobs.make(job.id, min(steps, total - position), "branch", operations)
            position += job.steps

    def _edit(self, setting: Setting, outcome: Outcome, key: int) -> tuple:
        limits = attrs.evolve(setting.limits, max_parameters=AMPLE * setting.training_samples)
        moves, network = Moves(setting.operations, limits), outcome.network
        kinds = (
            moves.wider(network, (), 2.0),
            moves.deeper(network, ()),
            moves.narrower(network, (), 0.7),
            [],
        )
        generator = keyed_generator(setting.seed, "random edits", key)
        kind = kinds[generator.integers(len(kinds))]
        return kind[generator.integers(len(kind))].operations if kind else ()


def _held(best: Outcome | None, parent: int | None) -> tuple[tuple[int, ...], int | None]:
    """What a round must not forget, and the result if the run stops."""
    jobs = {job for job in (parent, None if best is None else best.job) if job is not None}
    return tuple(sorted(jobs)), None if best is None else best.job


def nas_surgery_strategies() -> dict[str, type[Strategy]]:
    return {"train": Train, "random-edits": RandomEdits}
