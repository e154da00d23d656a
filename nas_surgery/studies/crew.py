"""Who carries out the runs of a study: this process, one after the other, or several side by side."""

import os
import signal
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from threading import Thread
from typing import cast

import attrs

from nas_surgery.executors.processes import CONTEXT, begin_imports, end_with_parent
from nas_surgery.search.interrupts import InterruptedRunError, Interrupts
from nas_surgery.studies.performing import Ended, Perform
from nas_surgery.studies.plan import Task

EXPORTING = ("onnx", "onnxruntime")  # imported by every run when it ends, and here once for all
ATTEMPTS = 2  # of a run whose process is killed, such as for want of memory


def carried_out(
    tasks: Sequence[Task], perform: Perform, workers: int, interrupts: Interrupts
) -> Iterator[Ended]:
    """What becomes of each run, as they end. A signal stops all of them in order, and is raised."""
    if min(workers, len(tasks)) > 1:
        return _Crew(perform, interrupts).carried_out(tasks, workers)
    return _alone(tasks, perform, interrupts)


def _alone(tasks: Sequence[Task], perform: Perform, interrupts: Interrupts) -> Iterator[Ended]:
    for task in tasks:
        with interrupts.allowed():
            ended = perform(task)
        yield ended


@attrs.define(eq=False)
class _Worker:
    """A process that carries out one run after the other. task, attempt: what it is at."""

    process: BaseProcess
    task: Task
    attempt: int = 1


class _Crew:
    """Worker processes, each with a run at a time. One that dies takes its run alone with it, and is replaced."""

    def __init__(self, perform: Perform, interrupts: Interrupts) -> None:
        self._perform, self._interrupts = perform, interrupts
        self._workers: dict[Connection, _Worker] = {}

    def carried_out(self, tasks: Sequence[Task], workers: int) -> Iterator[Ended]:
        begin_imports("a study with workers", [__name__, *EXPORTING])
        waiting = deque(tasks)
        try:
            for _ in range(min(workers, len(tasks))):
                self._start(waiting.popleft())
            while self._workers:
                with self._interrupts.allowed():
                    ready = wait(list(self._workers))
                for connection in ready:
                    yield from self._heard(cast(Connection, connection), waiting)
        except InterruptedRunError:
            self._stop()
            raise
        finally:
            self._kill()

    def _start(self, task: Task, attempt: int = 1) -> None:
        ours, theirs = CONTEXT.Pipe()
        made = CONTEXT.Process(target=_work, args=(self._perform, theirs))  # type: ignore[attr-defined]
        made.start()
        theirs.close()
        self._workers[ours] = _Worker(made, task, attempt)
        ours.send(task)

    def _heard(self, connection: Connection, waiting: deque[Task]) -> Iterator[Ended]:
        """What a worker says of its run, unless it died and another is to try again; it gets the next one."""
        try:
            ended: Ended = connection.recv()
        except (EOFError, OSError):
            yield from self._died(connection, waiting)
            return
        if waiting:
            self._workers[connection].task, self._workers[connection].attempt = waiting.popleft(), 1
            connection.send(self._workers[connection].task)
        else:
            self._dismiss(connection)
        yield ended

    def _died(self, connection: Connection, waiting: deque[Task]) -> Iterator[Ended]:
        worker = self._dismiss(connection)
        if worker.attempt < ATTEMPTS:
            self._start(worker.task, worker.attempt + 1)
            return
        if waiting:
            self._start(waiting.popleft())
        code = worker.process.exitcode
        yield Ended(worker.task, error=f"its process died {ATTEMPTS} times, with exit code {code}")

    def _dismiss(self, connection: Connection) -> _Worker:
        """Let a worker end, as it has nothing left to do."""
        worker = self._workers.pop(connection)
        connection.close()
        worker.process.join()
        return worker

    def _stop(self) -> None:
        """Have each run save its best network so far, and wait for it."""
        for worker in self._workers.values():
            worker.process.terminate()
        for worker in self._workers.values():
            worker.process.join()

    def _kill(self) -> None:
        for connection, worker in self._workers.items():
            worker.process.kill()
            worker.process.join()
            connection.close()
        self._workers.clear()


def _work(perform: Perform, connection: Connection) -> None:
    """Carry out runs as they come, until there are no more. What Ctrl-C does is decided by the parent alone,
    which asks by SIGTERM."""
    if hasattr(os, "setpgid"):
        os.setpgid(0, 0)  # away from the terminal's Ctrl-C
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Thread(target=end_with_parent, daemon=True).start()
    with suppress(EOFError, InterruptedRunError):
        while True:
            task = connection.recv()
            with Interrupts() as interrupts, interrupts.allowed():
                ended = perform(task)
            connection.send(ended)
