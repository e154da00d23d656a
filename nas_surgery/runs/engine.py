"""A driver with everything that it needs, for one stretch of a run."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from threadpoolctl import threadpool_limits

from nas_surgery.runs.directory import RunDirectory
from nas_surgery.runs.event_log import EventLog
from nas_surgery.runs.preparation import Preparation
from nas_surgery.search.audience import Audience
from nas_surgery.search.driver import Driver
from nas_surgery.search.executors import Executor, LocalExecutor
from nas_surgery.search.interrupts import Interrupts
from nas_surgery.search.journal import Journal
from nas_surgery.search.processes import ProcessExecutor, WorkerPlan
from nas_surgery.search.states import StateStore
from nas_surgery.search.workbench import Workbench


@contextmanager
def engine(
    made: Preparation, directory: RunDirectory | None, audience: Audience
) -> Iterator[Driver]:
    """Open journal, event log, executor and signals; they are closed behind, whatever happens."""
    with ExitStack() as stack:
        stack.enter_context(threadpool_limits(limits=made.spec.run.threads))
        journal = Journal(None if directory is None else directory.journal)
        stack.callback(journal.close)
        journal.forget_failures()
        executor = _executor(made)
        stack.callback(executor.close)
        if directory is not None:
            audience.log = stack.enter_context(EventLog(directory.events))
        yield Driver(
            made.strategy,
            made.setting(),
            executor,
            journal,
            StateStore(None if directory is None else directory.weights),
            stack.enter_context(Interrupts()),
            audience,
            max_seconds=made.spec.search.max_seconds,
            max_failures=made.spec.run.max_failures,
        )


def _executor(made: Preparation) -> Executor:
    settings = made.spec.run
    if settings.executor == "local":
        return LocalExecutor(_workbench(made))
    plan = WorkerPlan.make(
        made.network,
        backend=made.spec.training.backend,
        device=made.device,
        recipe=made.recipe,
        train=made.splits.train,
        validation=made.splits.validation,
        operations=tuple(made.operations),
        plugins=made.spec.plugins,
        threads=settings.threads,
    )
    return ProcessExecutor(plan, made.operations, settings.workers, settings.job_seconds)


def _workbench(made: Preparation) -> Workbench:
    return Workbench(
        made.backend,
        made.device,
        made.recipe,
        made.network,
        made.splits.train,
        made.splits.validation,
        made.operations,
        made.registry.origin_of_operation,
    )
