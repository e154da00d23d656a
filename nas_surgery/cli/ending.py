"""How `run`, `study` and `resume` end: what they report of a result, and of a signal."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas_surgery.cli.output import show
from nas_surgery.reports.printing import complain
from nas_surgery.search.interrupts import InterruptedRunError

if TYPE_CHECKING:
    from nas_surgery.studies.writing import Study


@contextmanager
def stoppable() -> Iterator[None]:
    """A run that a signal stopped says how to go on, and ends with the signal's exit code."""
    try:
        yield
    except InterruptedRunError as stop:
        saved = (
            "; the best network so far is saved" if stop.saved else " before a network was saved"
        )
        complain(f"stopped by {stop}{saved}")
        complain(f"go on with: nas-surgery resume {stop.directory}")
        sys.exit(128 + stop.signum)


def write_report(directory: Path) -> Path:
    """The page of a run or a study, in its directory."""
    from nas_surgery.reports.files import PAGE, write_page
    from nas_surgery.reports.making import report

    write_page(report(directory).page, directory / PAGE)
    return directory / PAGE


@contextmanager
def stoppable_study(directory: Path) -> Iterator[None]:
    """The same of a study."""
    try:
        yield
    except InterruptedRunError as stop:
        complain(f"stopped by {stop}; what is finished is kept")
        complain(f"go on with: nas-surgery resume {directory}")
        sys.exit(128 + stop.signum)


def finish_study(found: "Study", as_json: bool, quiet: bool, page: Path | None = None) -> None:
    """Print the table; runs that failed are in it, and make the study no success."""
    if as_json or not quiet:
        text = f"{found}\nwritten   {found.directory}"
        value = {**found.values, "directory": str(found.directory)}
        shown = {**value, "report": str(page)} if page else value
        show(f"{text}\nreport    {page}" if page else text, shown, as_json)
    if found.failures:
        complain(
            f"error: {len(found.failures)} of the runs failed, and are tried again by a resume"
        )
        sys.exit(1)


def finish(
    summary: dict[str, Any], directory: Path, as_json: bool, quiet: bool, page: Path | None = None
) -> None:
    """Say what came out; a search that could not go on says why, and is no success. page: the report."""
    if as_json or not quiet:
        value = {**summary, "directory": str(directory), **({"report": str(page)} if page else {})}
        text = _report(summary, directory)
        show(f"{text}\nreport    {page}" if page else text, value, as_json)
    if summary["stopped"] == "failures":
        complain(f"error: {summary['reason']}; the best network so far is saved")
        complain(
            f"once that is mended, go on with: nas-surgery resume {directory}"
            " (--allow-changes, if a plugin was)"
        )
        sys.exit(1)


def _report(summary: dict[str, Any], directory: Path) -> str:
    from nas_surgery.reports.run import metric_name, task_name

    metric = metric_name(summary)
    lines = [
        f"task      {task_name(summary)}",
        *_target(summary["data"]),
        _line("winner", summary["hidden"]["end"], summary["parameters"]["end"], summary, metric),
        f"cost      {summary['cost']['epoch_equivalents']:.0f} epochs in {summary['cost']['seconds']:.1f} s,"
        f" {summary['cost']['relative']:.2f} × training the final network",
        f"written   {directory}",
    ]
    if summary["baseline"]:
        start, count = summary["hidden"]["start"], summary["parameters"]["start"]
        lines.insert(-2, _line("baseline", start, count, summary["baseline"], metric))
    if summary["stopped"] != "finished":
        lines.insert(-1, f"stopped   by {summary['stopped']}")
    if summary["onnx_warning"]:
        lines.append(f"warning   {summary['onnx_warning']}")
    if summary["accuracy"]["validation"] <= summary["chance"]:
        lines.append(
            f"warning   always giving the same answer has {metric} {summary['chance']:.4f}: nothing was"
            " learned; try another training.learning_rate, or more epochs"
        )
    return "\n".join(lines)


def _target(data: dict[str, Any]) -> list[str]:
    """A line on the column of the labels, of data that have columns."""
    return [f"target    column {data['target']!r}"] if "target" in data else []


def _line(
    name: str, hidden: list[int], parameters: int, figures: dict[str, Any], metric: str
) -> str:
    from nas_surgery.reports.run import accuracies

    widths = "-".join(map(str, hidden)) or "no hidden layer"
    return f"{name:<9} {widths}, {parameters:,} parameters, {accuracies(figures, metric)}"
