"""What a study comes to, as a value and as files. Seconds and the date are in study.json alone, so that the
tables are the same bytes however often the study was interrupted."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import attrs

from nas_surgery.errors import StudyError
from nas_surgery.formats.atomic import write_atomically
from nas_surgery.reports.run import summary_of
from nas_surgery.reports.study import study_markdown, table_csv
from nas_surgery.search.journal import plain
from nas_surgery.studies.directory import StudyDirectory
from nas_surgery.studies.performing import finished
from nas_surgery.studies.plan import FORMAT, Plan, Task
from nas_surgery.studies.rows import row
from nas_surgery.studies.table import table, versions_of


@attrs.frozen(eq=False)
class Study:
    """A study that has ended. directory: of the study.

    values: what `study.json` holds: `format`, `date`, `seeds`, `repeats`, `controls`; `rows`, as `rows.row` makes
    them, searches first; `failures`; `table`, as `table.table` makes it; `versions`. Accuracies are fractions,
    increases per cent; `relative_increase` has no std, as in the paper.
    """

    values: dict[str, Any] = attrs.field(repr=False)
    directory: Path

    @property
    def rows(self) -> list[dict[str, Any]]:
        """A figure for each run."""
        found: list[dict[str, Any]] = self.values["rows"]
        return found

    @property
    def table(self) -> list[dict[str, Any]]:
        """Means, spreads and intervals, for each spec and control."""
        found: list[dict[str, Any]] = self.values["table"]
        return found

    @property
    def failures(self) -> list[dict[str, Any]]:
        """Runs that gave no network, or not the one that they should have, and why."""
        found: list[dict[str, Any]] = self.values["failures"]
        return found

    def __str__(self) -> str:
        return study_markdown(self.values, seconds=True)


def sum_up(directory: StudyDirectory, plan: Plan, reasons: Mapping[Task, str]) -> Study:
    """The figures of everything that was planned; reasons: of the runs that failed."""
    tasks = [*plan.searches, *plan.control_runs]
    done = [task for task in tasks if _done(directory, task) and _done(directory, task.search)]
    summaries = {task: _summary(directory, task) for task in done}
    _check_data(directory, summaries)
    rows = [row(task, summaries[task], summaries[task.search]) for task in done]
    failures = [_failure(task, reasons[task]) for task in tasks if task in reasons]
    values = {
        "format": FORMAT,
        "date": datetime.now(UTC).date().isoformat(),
        "seeds": list(plan.seeds),
        "repeats": plan.repeats,
        "controls": list(plan.controls),
        "rows": rows,
        "failures": failures,
        "table": table(plan, rows, failures),
        "versions": versions_of(list(summaries.values())),
    }
    return Study(plain(values), directory.path)


def write(study: Study, directory: StudyDirectory) -> None:
    """The files of a study, each in one step."""
    text = json.dumps(study.values, indent=1, ensure_ascii=False) + "\n"
    write_atomically(directory.runs, table_csv(map(_timeless, study.rows)).encode())
    write_atomically(directory.table, table_csv(study.table).encode())
    write_atomically(directory.markdown, study_markdown(study.values).encode())
    write_atomically(directory.study, text.encode())


def _done(directory: StudyDirectory, task: Task) -> bool:
    return finished(directory.path / task.path)


def _check_data(directory: StudyDirectory, summaries: Mapping[Task, Mapping[str, Any]]) -> None:
    """StudyError where runs of one spec have seen different samples: their means would mean nothing."""
    first: dict[str, Task] = {}
    for task, summary in summaries.items():
        before = first.setdefault(task.spec, task)
        if summary["data"]["sha256"] != summaries[before]["data"]["sha256"]:
            raise StudyError(
                f"{directory.path}: {before.path} and {task.path} were made from different data; begin the study"
                " anew in another directory"
            )


def _summary(directory: StudyDirectory, task: Task) -> dict[str, Any]:
    return summary_of(directory.path / task.path) or {}


def _timeless(found: Mapping[str, Any]) -> dict[str, Any]:
    """A row without its seconds."""
    cost = {key: value for key, value in found["cost"].items() if key != "seconds"}
    return {**found, "cost": cost}


def _failure(task: Task, reason: str) -> dict[str, Any]:
    where = {"spec": task.spec, "control": task.control, "seed": task.seed, "repeat": task.repeat}
    return {**where, "directory": str(task.path), "reason": reason}
