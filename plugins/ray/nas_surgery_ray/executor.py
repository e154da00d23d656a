"""The executor: jobs as plain tasks of a Ray cluster, with the results of the local executor.

Whatever may decide stays in the driver: Ray tries nothing again, results come by value, and the driver
alone writes. A task speaks twice, when it begins and when it has ended, so that its seconds are its own.
"""

import logging
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from time import monotonic
from typing import Any
from uuid import uuid4

import attrs
import ray
from ray.exceptions import ObjectLostError, RayError, RayTaskError

from nas_surgery.errors import ModelFileError, RunError
from nas_surgery.executors import NOBODY, Listener, States, Work
from nas_surgery.executors.travel import arrived, longest_first, tell_curve
from nas_surgery.failpoints import failpoint
from nas_surgery.strategies.jobs import Cost, Failure, Job, Outcome
from nas_surgery_ray.parcels import Parcels, Shared
from nas_surgery_ray.worker import BEGUN, perform

AHEAD = 2  # jobs in flight for each worker, so that none waits for the driver


@attrs.define(eq=False)
class Flight:
    """A job that the cluster has been given. stream: what its task says; attempt: from 1; begun: whether its
    task said so; ends: when its time is up then, by this machine's clock."""

    job: Job
    parcels: Parcels
    cost: Cost
    stream: Any
    attempt: int = 1
    begun: bool = False
    ends: float | None = None


class RayExecutor:
    """Jobs on a cluster, the longest first; outcomes still come in the order of the jobs.

    needs: what each job asks of its node, as Ray's options. attempts: how often a job is tried whose
    worker or node dies. shared: where large states go by files, or None.
    """

    def __init__(
        self, work: Work, needs: Mapping[str, Any], attempts: int, shared: Shared | None
    ) -> None:
        self._work, self._attempts = work, attempts
        self._name, self._shared = uuid4().hex, shared
        self._plan: list[Any] = []
        self._flights: dict[int, Flight] = {}
        self._landed: dict[int, Outcome] = {}
        self._task = ray.remote(perform)
        self._options = {"max_retries": 0, "num_returns": "streaming", **needs}

    def begin(self, job: Job) -> None:
        """Start a job on the start network that will be asked for, so that no worker need be idle."""
        with _explained():
            self._launch(job, Parcels(self._shared), self._work.cost_of(job, None))

    def run(
        self, jobs: Sequence[Job], states: States, listener: Listener = NOBODY
    ) -> Iterator[Outcome]:
        parcels, waiting = Parcels(self._shared, states), deque(longest_first(jobs, states))
        try:
            for job in jobs:
                while job.id not in self._landed:
                    with _explained():
                        self._fill(waiting, parcels, listener)
                        self._listen()
                outcome = self._landed.pop(job.id)
                tell_curve(listener, job, outcome)
                yield outcome
        finally:
            self._cancel(job.id for job in jobs)
            parcels.drop_files()

    def close(self) -> None:
        """Stop what runs and let go of what was put."""
        self._cancel(list(self._flights))
        self._plan.clear()
        if self._shared is not None:
            self._shared.remove()

    def _fill(self, waiting: deque[Job], parcels: Parcels, listener: Listener) -> None:
        """Hand on jobs while there is room."""
        while waiting and len(self._flights) < AHEAD * self._work.workers:
            job = waiting.popleft()
            listener.started(job)
            failpoint("job.started")
            if job.id not in self._flights and job.id not in self._landed:
                cost = self._work.cost_of(job, parcels.states.get(job.parent))
                self._launch(job, parcels, cost)

    def _launch(self, job: Job, parcels: Parcels, cost: Cost, attempt: int = 1) -> None:
        if not self._plan:
            self._plan.append(ray.put(self._work.elsewhere))
        parent = parcels.of(job.parent)
        stream = self._task.options(name=f"nas-surgery job {job.id}", **self._options).remote(
            self._name, self._plan, job.to_json(), parent, self._shared
        )
        self._flights[job.id] = Flight(job, parcels, cost, stream, attempt)

    def _listen(self) -> None:
        """Wait until a task says something, or its time is up."""
        by_stream = {flight.stream: flight for flight in self._flights.values()}
        streams = list(by_stream)
        ready, _ = ray.wait(streams, timeout=self._patience())
        if ready:
            ready, _ = ray.wait(streams, num_returns=len(streams), timeout=0)
        for stream in ready:
            self._hear(by_stream[stream])
        self._stop_overdue()

    def _hear(self, flight: Flight) -> None:
        """Take what a task says, or what Ray says of it."""
        try:
            said = ray.get(next(flight.stream))
            if said == BEGUN:
                seconds = self._work.seconds
                flight.begun = True
                flight.ends = None if seconds is None else monotonic() + seconds
            else:
                record, seconds, weights = said
                content = None if weights is None else flight.parcels.opened(weights)
                self._land(flight, arrived((record, seconds, content), self._work.operations))
        except RayTaskError as error:
            self._blame(flight, error)
        except (RayError, ModelFileError) as error:
            self._try_again(flight, error)

    def _blame(self, flight: Flight, error: RayTaskError) -> None:
        """A task raised: what it could not fetch is put again, and a worker that cannot begin is no job's
        fault."""
        if isinstance(error.cause, RayError):
            self._try_again(flight, error.cause)
            return
        reason = f"{type(error.cause).__name__}: {_line(error.cause)}"
        if not flight.begun:
            raise RunError(f"a worker of the cluster cannot begin: {reason}") from None
        self._give_up(flight, reason)

    def _try_again(self, flight: Flight, error: Exception) -> None:
        """A worker or a node died, or what it had found got lost."""
        if flight.attempt >= self._attempts:
            self._give_up(flight, f"its worker died {flight.attempt} times: {_line(error)}")
            return
        logging.getLogger("nas_surgery").info(
            "job %d is tried again: %s", flight.job.id, type(error).__name__
        )
        if isinstance(error, ObjectLostError):
            self._plan.clear()
            flight.parcels.put_again()
        self._launch(flight.job, flight.parcels, flight.cost, flight.attempt + 1)

    def _give_up(self, flight: Flight, reason: str) -> None:
        failure = Failure(reason)
        self._land(flight, Outcome(flight.job.id, cost=flight.cost, failure=failure))

    def _land(self, flight: Flight, outcome: Outcome) -> None:
        self._flights.pop(flight.job.id, None)
        self._landed[flight.job.id] = outcome

    def _patience(self) -> float | None:
        """Seconds until the first job's time is up; None where that cannot be."""
        ends = [flight.ends for flight in self._flights.values() if flight.ends is not None]
        return max(0.0, min(ends) - monotonic()) if ends else None

    def _stop_overdue(self) -> None:
        for flight in list(self._flights.values()):
            if flight.ends is not None and monotonic() > flight.ends:
                self._cancel([flight.job.id])
                reason = f"took longer than {self._work.seconds} s and was stopped"
                self._give_up(flight, reason)

    def _cancel(self, jobs: Iterable[int]) -> None:
        for job in jobs:
            self._landed.pop(job, None)
            if flight := self._flights.pop(job, None):
                ray.cancel(flight.stream, force=True)


@contextmanager
def _explained() -> Iterator[None]:
    """What is wrong with the cluster itself ends the run in one line, such as a full object store."""
    try:
        yield
    except RayError as error:
        raise RunError(f"Ray: {_line(error)}; resume the run once that is mended") from None


def _line(error: BaseException) -> str:
    """What an error says, in one line."""
    return str(error).strip().partition("\n")[0]
