"""A driver with everything that it needs, for one stretch of a run."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from threadpoolctl import threadpool_limits

from nas_surgery.executors import Work
from nas_surgery.runs.directory import RunDirectory
from nas_surgery.runs.event_log import EventLog
from nas_surgery.runs.preparation import Preparation
from nas_surgery.search.audience import Audience
from nas_surgery.search.driver import Driver
from nas_surgery.search.interrupts import Interrupts
from nas_surgery.search.journal import Journal
from nas_surgery.search.states import StateStore
from nas_surgery.search.workbench import Workbench
from nas_surgery.search.workbench_plan import WorkbenchPlan
from nas_surgery.training.state import TrainState
from nas_surgery.training.state_bytes import state_to_bytes


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
        executor = made.executor.open(_work(made))
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


def _work(made: Preparation) -> Work:
    return Work(
        here=lambda: _workbench(made),
        elsewhere=_plan(made),
        operations=made.operations,
        recipe=made.recipe,
        samples=len(made.splits.train),
        macs=made.network.macs,
        workers=made.spec.run.workers,
        seconds=made.spec.run.job_seconds,
    )


def _plan(made: Preparation) -> WorkbenchPlan:
    return WorkbenchPlan(
        backend=made.spec.training.backend,
        device=made.device,
        recipe=made.recipe,
        start=state_to_bytes(TrainState(made.network)),
        train=made.splits.train,
        validation=made.splits.validation,
        operations=tuple(made.operations),
        plugins=tuple(made.registry.files),
        threads=made.spec.run.threads,
    )


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
