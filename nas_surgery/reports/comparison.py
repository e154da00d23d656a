"""Runs and studies side by side: one table, as text and as a page."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import attrs

from nas_surgery.errors import ModelFileError, RunError
from nas_surgery.formats.regular_file import read_regular, size_limit
from nas_surgery.formats.strict_json import strict_json
from nas_surgery.network.text import one_line
from nas_surgery.reports.record import JOURNAL, Record, naming, read_record
from nas_surgery.reports.tables import Table
from nas_surgery.reports.timeline import widths
from nas_surgery.reports.wording import number, whole

STUDY = "study.json"


@attrs.frozen
class Line:
    """A run, or all runs of a setting of a study. runs: how many; deviations are None of a single one.

    accuracy, baseline, test: (mean, standard deviation), or None. relative: the search's training ÷ the
    winner's alone.
    """

    name: str
    source: str
    strategy: str
    runs: int
    accuracy: tuple[float, float | None] | None
    baseline: tuple[float, float | None] | None
    test: tuple[float, float | None] | None
    hidden: tuple[int, ...] | None = None
    parameters: int | None = None
    relative: float | None = None
    seconds: float | None = None
    state: str = "finished"


def lines_of(directory: Path) -> tuple[Line, ...]:
    """The line of a run directory, or the lines of a study's; RunError if it is neither."""
    if (directory / STUDY).is_file():
        return _of_study(directory)
    if not (directory / JOURNAL).is_file():
        raise RunError(
            f"{directory}: holds neither a run nor a study; there is no {JOURNAL} or {STUDY}"
        )
    record = read_record(directory)
    with naming(directory / "summary.json", "a summary of a run"):
        return (_of_run(directory, record),)


def read_study(directory: Path) -> dict[str, Any]:
    """What study.json holds; RunError if it cannot be read."""
    file = directory / STUDY
    try:
        study = strict_json(read_regular(file, size_limit()))
        if not isinstance(study, dict) or not isinstance(study["table"], list):
            raise ValueError("no table in it")
    except (ModelFileError, ValueError, KeyError) as error:
        raise RunError(f"{file}: not the account of a study: {one_line(error)}") from None
    return study


def _of_run(directory: Path, record: Record) -> Line:
    spec, winner, summary = record.spec, record.winner, record.summary or {}
    beside = (summary.get("baseline") or {}).get("accuracy", {}).get("validation")
    found = summary.get("accuracy") or {"validation": winner.accuracy if winner else None}
    cost = summary.get("cost") or {}
    return Line(
        one_line(directory.name or directory),
        one_line(record.header["data"]["source"]),
        one_line(spec["search"]["strategy"]),
        1,
        accuracy=_single(found["validation"]),
        baseline=_single(beside),
        test=_single(found.get("test")),
        hidden=winner.hidden if winner else None,
        parameters=winner.parameters if winner else None,
        relative=cost.get("relative"),
        seconds=cost.get("seconds"),
        state=one_line(summary.get("stopped", "no result yet")),
    )


def _single(value: Any) -> tuple[float, float | None] | None:
    return None if value is None else (float(value), None)


def _of_study(directory: Path) -> tuple[Line, ...]:
    study = read_study(directory)
    with naming(directory / STUDY, "the account of a study"):
        return tuple(_of_setting(directory, line) for line in study["table"])


def _of_setting(directory: Path, line: dict[str, Any]) -> Line:
    return Line(
        one_line(f"{directory.name}/{line['spec']}"),
        "",
        one_line(line.get("control") or line["strategy"] or "–"),
        int(line["runs"]),
        accuracy=_mean(line.get("surgeon")),
        baseline=_mean(line.get("baseline")),
        test=_mean(line.get("test")),
        relative=((line.get("cost") or {}).get("relative") or {}).get("mean"),
        state=f"{line['failed']} failed" if line.get("failed") else "finished",
    )


def _mean(value: Any) -> tuple[float, float | None] | None:
    return None if not value or value["mean"] is None else (float(value["mean"]), value.get("std"))


def comparison_table(lines: Sequence[Line]) -> Table:
    """A row for each line."""
    head = (
        "run", "data", "strategy", "runs", "hidden", "parameters", "validation", "baseline", "test",
        "cost", "seconds", "stopped",
    )  # fmt: skip
    rows = tuple(
        (
            line.name,
            line.source or "–",
            line.strategy,
            str(line.runs),
            "–" if line.hidden is None else widths(line.hidden),
            whole(line.parameters),
            *map(_spread, (line.accuracy, line.baseline, line.test)),
            number(line.relative, ".2f"),
            number(line.seconds, ",.1f"),
            line.state,
        )
        for line in lines
    )
    caption = "Accuracy or R²; cost: the search's training ÷ the winner's alone"
    return Table(caption, head, rows, frozenset({0, 1, 2, 4, 11}))


def _spread(value: tuple[float, float | None] | None) -> str:
    if value is None:
        return "–"
    mean, deviation = value
    return number(mean) if deviation is None else f"{number(mean)} ± {number(deviation)}"


def table_text(table: Table) -> str:
    """A table in aligned columns."""
    rows = (table.head, *table.rows)
    spans = [max(len(row[i]) for row in rows) for i in range(len(table.head))]
    lines = (
        "  ".join(
            cell.ljust(span) if i in table.words else cell.rjust(span)
            for i, (cell, span) in enumerate(zip(row, spans, strict=True))
        ).rstrip()
        for row in rows
    )
    return "\n".join([table.caption, *(f"  {line}" for line in lines)])
