"""Pages: of a run, of a study, and of runs and studies side by side."""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import tomli_w

from nas_surgery.errors import ModelFileError, SpecError
from nas_surgery.formats.toml import read_toml
from nas_surgery.reports import tables
from nas_surgery.reports.drawing import drawing
from nas_surgery.reports.figures import Chart, charts_of, networks_of
from nas_surgery.reports.headline import headline
from nas_surgery.reports.record import Record
from nas_surgery.reports.rendering import Section, render, section
from nas_surgery.reports.study_page import comparison_page, study_page
from nas_surgery.reports.timeline import timeline

HISTORY = (
    "The thick line is the way of the winner, with a number at each surgery; the dashed one is the start"
    " topology, trained as long without surgery; thin ones are branches and candidates that lost."
)
TREE = (
    "A column for each decision; what was tried there, the best first. ▲ larger than its parent, ▼ smaller,"
    " ● as large, × failed; filled if it went on. Numbers as above."
)
FRONT = (
    "Each dot is a network that the search trained, some of them briefly. No other is as small and as good"
    " as those on the line."
)
LEDGER = (
    "The dashed line is what training the winner alone for all epochs takes. The baseline is not part of"
    " the search."
)
SPECTRA = (
    "How much of its width each hidden layer uses: where values fall fast, few directions carry the"
    " function. Spare units are those that eq. 13 would remove."
)


def run_page(record: Record) -> str:
    """The page of a run, as far as it has come."""
    start, winner = networks_of(record.directory)
    charts = {chart.name: chart for chart in charts_of(record, start, winner)}
    line = timeline(record)
    parts = _sections(record, charts, start, winner)
    return render(
        "run.html",
        {
            "title": f"{record.header['data']['source']}: nas-surgery",
            "eyebrow": _eyebrow(record),
            "headline": headline(record),
            "notices": list(_notices(record)),
            "figures": tables.figures_table(record),
            "metric": record.metric,
            "steps": [(step, drawing(step, line)) for step in line.steps],
            "timeline": tables.timeline_table(line, record.metric),
            "before": parts[:1],
            "after": parts[1:],
            "spec": _spec(record),
            "versions": _versions(record.header["versions"]),
        },
    )


def _sections(record: Record, charts: dict[str, Chart], start: Any, winner: Any) -> list[Section]:
    if not record.lineage:
        return []
    made = [
        section(charts["history"], "Accuracy and loss", HISTORY, tables.history_table(record)),
        section(charts["tree"], "What was tried", TREE, tables.trials_table(record)),
        section(charts["front"], "Size against loss", FRONT, tables.front_table(record)),
        section(charts["ledger"], "What it cost", LEDGER, tables.ledger_table(record)),
    ]
    if start is not None or winner is not None:
        table = tables.spectra_table(start, winner)
        made.append(section(charts["spectra"], "Singular spectra", SPECTRA, table))
    return made


def _eyebrow(record: Record) -> str:
    spec, data = record.spec, record.header["data"]
    return (
        f"nas-surgery · {data['source']} · strategy {spec['search']['strategy']} · seed {spec['seed']} ·"
        f" {spec['training']['backend']} on {record.header['device']}"
    )


def _notices(record: Record) -> Iterator[str]:
    """What should be known before anything else is read."""
    summary = record.summary or {}
    if summary.get("stopped", "finished") != "finished":
        reason = f": {summary['reason']}" if summary.get("reason") else ""
        yield f"Stopped by {summary['stopped']}{reason}."
    yield from summary.get("warnings") or ()
    if summary.get("onnx_warning"):
        yield summary["onnx_warning"]
    failed = sum(trial.failure is not None for trial in record.trials.values())
    if failed:
        yield f"{failed} of {len(record.trials)} jobs failed; the table of jobs says why."
    baseline = record.baseline
    if baseline is not None and baseline.failure is not None:
        yield f"The baseline failed: {baseline.failure}"


def _spec(record: Record) -> str:
    """What spec.toml holds, or as much as the journal says of it."""
    values = record.spec
    if record.directory is not None:
        with suppress(SpecError, ModelFileError):
            values = read_toml(record.directory / "spec.toml")
    return tomli_w.dumps(values)


def _versions(versions: dict[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in versions.items())


__all__ = ["comparison_page", "run_page", "study_page"]
