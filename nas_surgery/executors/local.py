"""The local executor: one job after the other, in this process."""

from collections.abc import Iterator, Sequence
from functools import partial

import attrs

from nas_surgery.executors.executor import NOBODY, Bench, ExecutorSettings, Listener, States, Work
from nas_surgery.failpoints import failpoint
from nas_surgery.strategies.jobs import Job, Outcome


@attrs.frozen
class Local(ExecutorSettings):
    """`executor = "local"`."""

    def open(self, work: Work) -> "LocalExecutor":
        return LocalExecutor(work.here())


class LocalExecutor:
    """One job after the other."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench

    def run(
        self, jobs: Sequence[Job], states: States, listener: Listener = NOBODY
    ) -> Iterator[Outcome]:
        for job in jobs:
            listener.started(job)
            failpoint("job.started")
            told = partial(listener.epoch, job)
            yield self.bench.perform(job, states.get(job.parent), told)

    def begin(self, job: Job) -> None:
        """One job after the other: it has to wait."""

    def close(self) -> None:
        """Nothing is held."""
