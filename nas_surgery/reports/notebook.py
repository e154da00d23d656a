"""A result as HTML, which notebooks show: its figures, and the network."""

from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any

from nas_surgery.network import Network
from nas_surgery.reports.run import accuracies, metric_name, task_name


def result_html(summary: dict[str, Any], network: Network, directory: Path | None) -> str:
    """Two tables, one above the other. summary: what `summary.json` holds."""
    rows = "".join(
        f'<tr><th style="text-align: left">{escape(name)}</th>'
        f'<td style="text-align: left">{escape(value)}</td></tr>'
        for name, value in _figures(summary, directory)
    )
    return f"<table><tbody>{rows}</tbody></table>{network._repr_html_()}"


def _figures(summary: dict[str, Any], directory: Path | None) -> Iterator[tuple[str, str]]:
    metric, cost = metric_name(summary), summary["cost"]
    yield "task", task_name(summary)
    yield "winner", accuracies(summary, metric)
    if summary["baseline"]:
        yield "baseline", accuracies(summary["baseline"], metric)
    for name in ("parameters", "macs"):
        yield name, "{start:,} → {end:,}".format(**summary[name])
    yield "surgeries", str(len(summary["operations"]))
    yield "cost", f"{cost['relative']:.2f} × training the final network, {cost['seconds']:.1f} s"
    yield "stopped", summary["stopped"]
    if summary["reason"]:
        yield "reason", summary["reason"]
    for warning in filter(None, [*summary["warnings"], summary["onnx_warning"]]):
        yield "warning", warning
    if directory is not None:
        yield "directory", str(directory)
