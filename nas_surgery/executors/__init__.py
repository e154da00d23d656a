"""Where jobs are carried out: in this process, in workers beside it, or where a plugin says."""

from nas_surgery.executors.executor import (
    Bench,
    BenchPlan,
    Executor,
    ExecutorSettings,
    States,
    Work,
)
from nas_surgery.executors.local import Local
from nas_surgery.executors.processes import Processes

EXECUTORS: dict[str, type[ExecutorSettings]] = {"local": Local, "processes": Processes}

__all__ = [
    "EXECUTORS",
    "Bench",
    "BenchPlan",
    "Executor",
    "ExecutorSettings",
    "Local",
    "Processes",
    "States",
    "Work",
]
