"""Where jobs are carried out: in this process, in workers beside it, or where a plugin says."""

from nas_surgery.executors.executor import (
    NOBODY,
    Bench,
    BenchPlan,
    Executor,
    ExecutorSettings,
    Listener,
    States,
    Told,
    Work,
    untold,
)
from nas_surgery.executors.local import Local
from nas_surgery.executors.processes import Processes

EXECUTORS: dict[str, type[ExecutorSettings]] = {"local": Local, "processes": Processes}

__all__ = [
    "EXECUTORS",
    "NOBODY",
    "Bench",
    "BenchPlan",
    "Executor",
    "ExecutorSettings",
    "Listener",
    "Local",
    "Processes",
    "States",
    "Told",
    "Work",
    "untold",
]
