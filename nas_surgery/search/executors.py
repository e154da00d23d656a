"""Executors: where jobs are carried out. They return outcomes in the order of the jobs."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Protocol

from nas_surgery.failpoints import failpoint
from nas_surgery.search.workbench import Workbench
from nas_surgery.strategies.jobs import Job, Outcome
from nas_surgery.training.state import TrainState

States = Mapping[int | None, TrainState | None]


class Executor(Protocol):
    """Carries out the jobs of a round."""

    def run(
        self, jobs: Sequence[Job], states: States, started: Callable[[Job], None]
    ) -> Iterator[Outcome]:
        """Outcomes in the order of the jobs; `states` holds the parents' by job id."""

    def begin(self, job: Job) -> None:
        """Told of a job on the start network that `run` will be asked for later; it may begin at once."""

    def close(self) -> None:
        """Give back what it holds."""


class LocalExecutor:
    """One job after the other, in this process."""

    def __init__(self, workbench: Workbench) -> None:
        self.workbench = workbench

    def run(
        self, jobs: Sequence[Job], states: States, started: Callable[[Job], None]
    ) -> Iterator[Outcome]:
        for job in jobs:
            started(job)
            failpoint("job.started")
            yield self.workbench.perform(job, states.get(job.parent))

    def begin(self, job: Job) -> None:
        """One job after the other: it has to wait."""

    def close(self) -> None:
        """Nothing is held."""
