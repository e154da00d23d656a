"""Carrying out one run of a study: begun, gone on with, or found to be finished."""

from collections.abc import Callable
from pathlib import Path

import attrs

from nas_surgery.errors import NasSurgeryError, SearchFailedError
from nas_surgery.formats.toml import read_toml
from nas_surgery.reports.run import summary_of
from nas_surgery.runs.directory import RunDirectory
from nas_surgery.runs.former import former_summary
from nas_surgery.runs.runner import resume, run
from nas_surgery.runs.spec import Spec
from nas_surgery.studies.controls import CONTROLS, Searched, Start
from nas_surgery.studies.plan import Plan, Task

UNFINISHED = ("failures", "SIGINT", "SIGTERM")


@attrs.frozen
class Ended:
    """What became of a run. failure: why it gave no network, or not the one that it should; error: why it
    could not be carried out at all."""

    task: Task
    failure: str | None = None
    error: str | None = None


@attrs.frozen
class Performer:
    """Carries out runs of a study in its directory. allow_changes: as for `resume`."""

    folder: Path
    plan: Plan
    allow_changes: bool = False

    def __call__(self, task: Task) -> Ended:
        """Only signals are raised."""
        try:
            self._perform(task)
        except SearchFailedError as error:
            return Ended(task, failure=str(error))
        except NasSurgeryError as error:
            return Ended(task, error=str(error))
        if not finished(self.folder / task.path):
            return Ended(task, failure=self._reason(task))
        return Ended(task)

    def _perform(self, task: Task) -> None:
        directory = self.folder / task.path
        if finished(directory):
            return
        if RunDirectory(directory).begun:
            resume(directory, allow_changes=self.allow_changes)
            return
        start = self._start(task)
        run(Spec.from_dict(start.spec), network=start.network, out=directory)

    def _start(self, task: Task) -> Start:
        """What the run begins with; of a control it follows from the search."""
        if task.control is None:
            return Start(self.plan.spec_of(task))
        search = self.folder / task.search.path
        if not finished(search):
            raise SearchFailedError("its search gave no network")
        return CONTROLS[task.control](searched(search))

    def _reason(self, task: Task) -> str:
        summary = summary_of(self.folder / task.path) or {}
        return str(summary.get("reason") or "it did not come to its end")


Perform = Callable[[Task], Ended]


def finished(directory: Path) -> bool:
    """Whether a run has come to its end: nothing is left to be trained, written or checked.

    One that was ended by its seconds has, though `resume` would give it as many again. One whose summary is
    damaged has not: a resume makes it anew from the journal.
    """
    summary = former_summary(directory / "summary.json")
    if summary.get("stopped") in UNFINISHED:
        return False
    return any(summary.get(f"onnx_{found}") is not None for found in ("difference", "warning"))


def searched(directory: Path) -> Searched:
    """The search in a directory, as controls need it."""
    files, summary = RunDirectory(directory), summary_of(directory)
    return Searched(read_toml(files.spec), summary or {}, files.winner)
