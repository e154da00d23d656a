"""Executors: where jobs are carried out. They return outcomes in the order of the jobs."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Protocol

from nas_surgery.failpoints import failpoint
from nas_surgery.search.workbench import Workbench
from nas_surgery.strategies.jobs import Job, Outcome
from nas_surgery.training.epochs import Point
from nas_surgery.training.state import TrainState

States = Mapping[int | None, TrainState | None]


class Listener:
    """Told of what goes on while jobs are carried out; nothing is made of it here."""

    def started(self, job: Job) -> None:
        """A job begins."""

    def epoch(self, job: Job, point: Point, parameters: int) -> None:
        """A job has trained another epoch. parameters: of its network."""


NOBODY = Listener()


class Executor(Protocol):
    """Carries out the jobs of a round."""

    def run(
        self, jobs: Sequence[Job], states: States, listener: Listener = NOBODY
    ) -> Iterator[Outcome]:
        """Outcomes in the order of the jobs; `states` holds the parents' by job id.

        The listener is told of epochs as they end, or, from afar, before the outcome.
        """

    def begin(self, job: Job) -> None:
        """Told of a job on the start network that `run` will be asked for later; it may begin at once."""

    def close(self) -> None:
        """Give back what it holds."""


class LocalExecutor:
    """One job after the other, in this process."""

    def __init__(self, workbench: Workbench) -> None:
        self.workbench = workbench

    def run(
        self, jobs: Sequence[Job], states: States, listener: Listener = NOBODY
    ) -> Iterator[Outcome]:
        for job in jobs:
            listener.started(job)
            failpoint("job.started")
            told = partial(listener.epoch, job)
            yield self.workbench.perform(job, states.get(job.parent), told)

    def begin(self, job: Job) -> None:
        """One job after the other: it has to wait."""

    def close(self) -> None:
        """Nothing is held."""
