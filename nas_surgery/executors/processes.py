"""The process pool: candidates trained side by side, with the results of the local executor."""

import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import CancelledError
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_all_start_methods, get_context, parent_process
from pathlib import Path
from threading import Thread
from typing import Any

import attrs
from pebble import ProcessExpired, ProcessFuture, ProcessPool

from nas_surgery.errors import RunError
from nas_surgery.executors.executor import (
    NOBODY,
    Bench,
    BenchPlan,
    ExecutorSettings,
    Listener,
    States,
    Work,
)
from nas_surgery.executors.travel import Found, arrived, carry_out, longest_first, tell_curve
from nas_surgery.failpoints import failpoint
from nas_surgery.strategies.jobs import Failure, Job, Outcome
from nas_surgery.training.state_bytes import state_to_bytes

ATTEMPTS = 2
FORKED = "forkserver" in get_all_start_methods()
CONTEXT = get_context("forkserver" if FORKED else "spawn")

Future = ProcessFuture[Any]


@attrs.frozen
class Processes(ExecutorSettings):
    """`executor = "processes"`."""

    def begin(self, module: str) -> None:
        begin_imports('executor "processes"', [module])

    def open(self, work: Work) -> "ProcessExecutor":
        return ProcessExecutor(work)


def begin_imports(what: str, modules: Sequence[str]) -> None:
    """Start the process that workers are forked from, which imports what they need meanwhile.

    It is not for Ctrl-C to stop it. RunError, which says what wants workers, where they could not import
    the program.
    """
    program = getattr(sys.modules["__main__"], "__file__", None)
    if program is not None and not Path(program).exists():
        raise RunError(f"{what} needs a program in a file, not {program}")
    if not FORKED:
        return  # Windows: every worker imports for itself
    from multiprocessing import forkserver

    CONTEXT.set_forkserver_preload([__name__, *modules])
    with _interrupts_ignored():
        forkserver.ensure_running()


@contextmanager
def _interrupts_ignored() -> Iterator[None]:
    """Within, SIGINT is ignored, and will be by processes that are started."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


class _GivenUpError(Exception):
    """A job came to nothing in its worker; why."""


class ProcessExecutor:
    """Jobs in worker processes, the longest first; outcomes still come in the order of the jobs.

    A job whose worker is killed is tried once more. One that takes longer than `seconds`
    fails, and its worker is replaced.
    """

    def __init__(self, work: Work) -> None:
        self._work = work
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
        for job in longest_first(jobs, states):
            listener.started(job)
            failpoint("job.started")
            begun = self._begun.pop(job.id, None)
            futures[job.id] = begun or self._submit(pool, job, contents.get(job.parent))
        try:
            for job in jobs:
                try:
                    outcome = self._outcome(pool, job, contents.get(job.parent), futures)
                except _GivenUpError as error:
                    cost = self._work.cost_of(job, states.get(job.parent))
                    outcome = Outcome(job.id, cost=cost, failure=Failure(str(error)))
                tell_curve(listener, job, outcome)
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
                self._work.workers,
                initializer=_start_worker,
                initargs=(self._work.elsewhere,),
                context=CONTEXT,
            )
        return self._pool

    def _submit(self, pool: ProcessPool, job: Job, state: bytes | None) -> Future:
        return pool.schedule(_perform, args=(job.to_json(), state), timeout=self._work.seconds)

    def _outcome(
        self, pool: ProcessPool, job: Job, state: bytes | None, futures: dict[int, Future]
    ) -> Outcome:
        reason = ""
        for _ in range(ATTEMPTS):
            try:
                found = futures[job.id].result()
            except TimeoutError:
                seconds = self._work.seconds
                raise _GivenUpError(f"took longer than {seconds} s and was stopped") from None
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
                return arrived(found, self._work.operations)
        futures[job.id].cancel()  # type: ignore[no-untyped-call]
        raise _GivenUpError(reason)


_bench: Bench | None = None


def _start_worker(plan: BenchPlan) -> None:
    """Build this worker's bench; interrupts are the parent's."""
    global _bench
    Thread(target=end_with_parent, daemon=True).start()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _bench = plan.bench()


def end_with_parent() -> None:
    """A worker whose parent was killed has nobody to work for."""
    parent = parent_process()
    assert parent is not None, "workers are children"
    parent.join()
    os._exit(1)


def _perform(record: dict[str, Any], state: bytes | None) -> Found:
    """A job in a worker."""
    assert _bench is not None, "the worker has been started"
    return carry_out(_bench, record, state)
