"""The process pool: candidates trained side by side, with the results of the local executor."""

import os
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import CancelledError
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_all_start_methods, get_context, parent_process
from pathlib import Path
from threading import Thread
from typing import Any

import attrs
from pebble import ProcessExpired, ProcessFuture, ProcessPool
from threadpoolctl import threadpool_limits

from nas_surgery.errors import RunError
from nas_surgery.failpoints import failpoint
from nas_surgery.network import Network
from nas_surgery.plugins.registry import default_registry, load_registry
from nas_surgery.search.executors import NOBODY, Listener, States
from nas_surgery.search.interrupts import interrupts_ignored
from nas_surgery.search.states import state_from_bytes, state_to_bytes
from nas_surgery.search.workbench import Workbench
from nas_surgery.strategies.jobs import Cost, Failure, Job, Operations, Outcome
from nas_surgery.training.backend import Backend
from nas_surgery.training.plans import Recipe
from nas_surgery.training.state import Samples, TrainState

ATTEMPTS = 2
FORKED = "forkserver" in get_all_start_methods()
CONTEXT = get_context("forkserver" if FORKED else "spawn")

Future = ProcessFuture[Any]


@attrs.frozen(eq=False)
class WorkerPlan:
    """What a worker needs to build its workbench. macs: of the start network."""

    backend: str
    device: str
    recipe: Recipe
    start: bytes
    macs: int
    train: Samples
    validation: Samples
    operations: tuple[str, ...]
    plugins: tuple[str, ...]
    threads: int

    @classmethod
    def make(cls, start: Network, **fields: Any) -> "WorkerPlan":
        """A plan for a start network."""
        return cls(start=state_to_bytes(TrainState(start)), macs=start.macs, **fields)

    def cost_of(self, job: Job, parent: TrainState | None) -> Cost:
        """About what a job's training costs, where it did not live to tell."""
        step, macs = (0, self.macs) if parent is None else (parent.step, parent.network.macs)
        samples = self.recipe.plan_samples(len(self.train), step, step + job.steps)
        return Cost.of_training(samples, macs)


def begin_imports(what: str = 'executor "processes"', modules: Sequence[str] = ()) -> None:
    """Start the process that workers are forked from, which imports what they need meanwhile.

    It is not for Ctrl-C to stop it. RunError, which says what wants workers, where they could not import
    the program. modules: what they need beyond this one.
    """
    program = getattr(sys.modules["__main__"], "__file__", None)
    if program is not None and not Path(program).exists():
        raise RunError(f"{what} needs a program in a file, not {program}")
    if not FORKED:
        return  # Windows: every worker imports for itself
    from multiprocessing import forkserver

    CONTEXT.set_forkserver_preload([__name__, *modules])
    with interrupts_ignored():
        forkserver.ensure_running()


class _GivenUpError(Exception):
    """A job came to nothing in its worker; why."""


class ProcessExecutor:
    """Jobs in worker processes, the longest first; outcomes still come in the order of the jobs.

    A job whose worker is killed is tried once more. One that takes longer than `seconds` fails, and
    its worker is replaced.
    """

    def __init__(
        self,
        plan: WorkerPlan,
        operations: Operations,
        workers: int,
        seconds: float | None = None,
    ) -> None:
        self._plan, self._operations = plan, operations
        self._workers, self._seconds = workers, seconds
        self._pool: ProcessPool | None = None
        self._begun: dict[int, Future] = {}

    def begin(self, job: Job) -> None:
        """Start a job on the start network that will be asked for, so that no worker need be idle."""
        self._begun[job.id] = self._submit(self._running_pool(), job, None)

    def run(
        self, jobs: Sequence[Job], states: States, listener: Listener = NOBODY
    ) -> Iterator[Outcome]:
        pool = self._running_pool()
        contents = {
            parent: None if state is None else state_to_bytes(state)
            for parent, state in states.items()
        }
        futures: dict[int, Future] = {}
        for job in sorted(jobs, key=lambda job: -_work(job, states.get(job.parent))):
            listener.started(job)
            failpoint("job.started")
            begun = self._begun.pop(job.id, None)
            futures[job.id] = begun or self._submit(pool, job, contents.get(job.parent))
        try:
            for job in jobs:
                try:
                    outcome = self._outcome(pool, job, contents.get(job.parent), futures)
                except _GivenUpError as error:
                    cost = self._plan.cost_of(job, states.get(job.parent))
                    outcome = Outcome(job.id, cost=cost, failure=Failure(str(error)))
                for point in outcome.curve:
                    listener.epoch(job, point, outcome.parameters)
                yield outcome
        finally:
            for future in futures.values():
                future.cancel()  # type: ignore[no-untyped-call]

    def close(self) -> None:
        """Stop the workers at once."""
        if self._pool is not None:
            self._pool.stop()  # type: ignore[no-untyped-call]
            self._pool.join()
            self._pool = None

    def _running_pool(self) -> ProcessPool:
        if self._pool is None:
            self._pool = ProcessPool(
                self._workers,
                initializer=_start_worker,
                initargs=(self._plan,),
                context=CONTEXT,
            )
        return self._pool

    def _submit(self, pool: ProcessPool, job: Job, state: bytes | None) -> Future:
        return pool.schedule(_perform, args=(job.to_json(), state), timeout=self._seconds)

    def _outcome(
        self, pool: ProcessPool, job: Job, state: bytes | None, futures: dict[int, Future]
    ) -> Outcome:
        reason = ""
        for _ in range(ATTEMPTS):
            try:
                found = futures[job.id].result()
            except TimeoutError:
                raise _GivenUpError(f"took longer than {self._seconds} s and was stopped") from None
            except (ProcessExpired, CancelledError) as error:
                reason = f"its worker died {ATTEMPTS} times: {error}"
                futures[job.id] = self._submit(pool, job, state)
            except BrokenProcessPool:
                raise RunError(
                    "the worker processes cannot start; a script must call ns.run under"
                    ' `if __name__ == "__main__":`'
                ) from None
            except Exception as error:  # what a worker could not even send back
                raise _GivenUpError(f"{type(error).__name__}: {error}") from error
            else:
                return self._complete(*found)
        futures[job.id].cancel()  # type: ignore[no-untyped-call]
        raise _GivenUpError(reason)

    def _complete(
        self, record: dict[str, Any], seconds: dict[str, float], content: bytes | None
    ) -> Outcome:
        outcome = Outcome.from_json(record, self._operations)
        state = None if content is None else state_from_bytes(content)
        return attrs.evolve(outcome, state=state, seconds=seconds)


_workbench: Workbench | None = None


def _start_worker(plan: WorkerPlan) -> None:
    """Build this worker's workbench and bind the worker to its threads; interrupts are the parent's."""
    import signal

    global _workbench
    Thread(target=end_with_parent, daemon=True).start()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threadpool_limits(limits=plan.threads)
    registry = load_registry(map(Path, plan.plugins)) if plan.plugins else default_registry()
    backend: Backend = registry.get("backends", plan.backend)()
    _workbench = Workbench(
        backend,
        plan.device,
        plan.recipe,
        state_from_bytes(plan.start).network,
        plan.train,
        plan.validation,
        {name: registry.get("operations", name) for name in plan.operations},
        registry.origin_of_operation,
    )


def end_with_parent() -> None:
    """A worker whose parent was killed has nobody to work for."""
    parent = parent_process()
    assert parent is not None, "workers are children"
    parent.join()
    os._exit(1)


def _perform(
    record: dict[str, Any], content: bytes | None
) -> tuple[dict[str, Any], dict[str, float], bytes | None]:
    """A job in a worker: the outcome's record, its seconds and its weights.

    Jobs travel as records, because the classes of a single-file plugin cannot be pickled.
    """
    assert _workbench is not None, "the worker has been started"
    job = Job.from_json(record, _workbench.operations)
    outcome = _workbench.perform(job, None if content is None else state_from_bytes(content))
    weights = None if outcome.state is None else state_to_bytes(outcome.state)
    return outcome.to_json(), outcome.seconds, weights


def _work(job: Job, parent: TrainState | None) -> int:
    """About how long a job takes, in comparison."""
    return job.steps * (1 if parent is None else parent.network.macs)
