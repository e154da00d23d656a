"""What an executor is, what it is given, and how a spec asks for it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

import attrs

from nas_surgery.strategies.jobs import Cost, Job, Operations, Outcome
from nas_surgery.training.epochs import Point
from nas_surgery.training.plans import Recipe
from nas_surgery.training.state import TrainState

States = Mapping[int | None, TrainState | None]
Told = Callable[[Point, int], Any]
"""Told of a point of a curve, and of the parameters of its network."""


def untold(point: Point, parameters: int) -> None:
    """Nobody is told."""


class Listener:
    """Told of what goes on while jobs are carried out; nothing is made of it here."""

    def started(self, job: Job) -> None:
        """A job begins."""

    def epoch(self, job: Job, point: Point, parameters: int) -> None:
        """A job has trained another epoch. parameters: of its network."""


NOBODY = Listener()


class Bench(Protocol):
    """Carries out one job after the other."""

    operations: Operations

    def perform(self, job: Job, parent: TrainState | None, told: Told = untold) -> Outcome:
        """Whatever goes wrong is a failed outcome. parent: None for the start network; told: of each epoch's
        point when it is there."""


class BenchPlan(Protocol):
    """What a bench in another process, or on another machine, is built from. It can be pickled, and holds
    the data."""

    @property
    def device(self) -> str:
        """On which the bench will train."""

    @property
    def threads(self) -> int:
        """Of linear algebra, to which the process is bound; results depend on them."""

    def bench(self) -> Bench:
        """Bind this process to its threads, and build."""


@attrs.frozen(eq=False)
class Work:
    """What the jobs of a run share.

    here: builds a bench in this process. elsewhere: what one in another is built from. recipe, samples,
    macs: how training is done, on how many samples, and multiply-accumulates of the start network.
    workers: how many jobs may run at a time. seconds: a job that takes longer is stopped and fails.
    """

    here: Callable[[], Bench]
    elsewhere: BenchPlan
    operations: Operations
    recipe: Recipe
    samples: int
    macs: int
    workers: int = 2
    seconds: float | None = None

    def cost_of(self, job: Job, parent: TrainState | None) -> Cost:
        """About what a job's training costs, where it did not live to tell."""
        step, macs = (0, self.macs) if parent is None else (parent.step, parent.network.macs)
        samples = self.recipe.plan_samples(self.samples, step, step + job.steps)
        return Cost.of_training(samples, macs)


class Executor(Protocol):
    """Carries out the jobs of a round."""

    def run(
        self, jobs: Sequence[Job], states: States, listener: Listener = NOBODY
    ) -> Iterator[Outcome]:
        """Outcomes in the order of the jobs; `states` holds the parents' by job id.

        The listener is told of each job once, and of epochs as they end or, from afar, before the outcome.
        """

    def begin(self, job: Job) -> None:
        """Told of a job on the start network that `run` will be asked for later; it may begin at once."""

    def close(self) -> None:
        """Give back what it holds."""


class ExecutorSettings:
    """How a spec asks for an executor: a frozen attrs class, whose fields are the keys of `[run.NAME]`."""

    def begin(self, module: str) -> None:
        """Called before the data load, also for a dry run: refuse by a RunError what cannot be, or begin what
        takes long. module: what workers will have to import."""

    def open(self, work: Work) -> Executor:
        """The executor for one stretch of a run; it is closed behind."""
        raise NotImplementedError
