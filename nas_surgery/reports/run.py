"""What `nas-surgery inspect` says of a run as a whole: how it ended, and the networks of its front."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nas_surgery.errors import ModelFileError, RunError
from nas_surgery.formats.regular_file import read_regular, size_limit
from nas_surgery.formats.strict_json import strict_json
from nas_surgery.network.text import one_line

SHOWN = 6  # names of classes


def run_report(directory: Path) -> str:
    """How the run ended, and its front, smallest first; RunError if its summary cannot be read."""
    summary = summary_of(directory)
    if summary is None:
        return f"The run has no result yet; go on with: nas-surgery resume {directory}"
    with _naming(directory):
        return "\n".join([*_ending(summary), "", *_front(summary, directory)])


def summary_of(directory: Path) -> dict[str, Any] | None:
    """What `summary.json` holds, or None where there is none yet; RunError if it cannot be read."""
    file = directory / "summary.json"
    if not file.is_file():
        return None
    with _naming(directory):
        summary: dict[str, Any] = strict_json(read_regular(file, size_limit()))
        return summary


@contextmanager
def _naming(directory: Path) -> Iterator[None]:
    try:
        yield
    except (ModelFileError, ValueError, KeyError, TypeError, AttributeError) as error:
        file = directory / "summary.json"
        raise RunError(f"{file}: not a summary of a run: {error}") from None


def task_name(summary: dict[str, Any]) -> str:
    """What the labels were taken for: so many classes, with the first of their names, or a regression."""
    names = summary["classes"]
    if not names:
        count = summary["outputs"]
        return f"regression, {count} output{'s' if count > 1 else ''}"
    more = ", …" if len(names) > SHOWN else ""
    return one_line(f"{len(names)} classes: {', '.join(names[:SHOWN])}{more}")


def metric_name(summary: dict[str, Any]) -> str:
    """What stands under `accuracy`."""
    return {"accuracy": "accuracy", "r2": "R²"}[summary["metric"]]


def accuracies(figures: dict[str, Any], metric: str) -> str:
    """The figures of each part that was read."""
    parts = figures["accuracy"].items()
    shown = [f"{part} {value:.4f}" for part, value in parts if value is not None]
    return f"{metric}: {', '.join(shown) or 'none'}"


def _ending(summary: dict[str, Any]) -> list[str]:
    cost = summary["cost"]
    reason = f" ({summary['reason']})" if summary.get("reason") else ""
    return [
        f"Run: strategy {summary['strategy']} on {summary['data']['source']}, seed {summary['seed']},"
        f" {summary['backend']}; stopped: {summary['stopped']}{reason}",
        f"  winner {accuracies(summary, metric_name(summary))}; validation loss {summary['loss']['validation']:.4f}",
        f"  cost: {cost['relative']:.2f} × training the final network, {cost['seconds']:.1f} s",
        *([f"  warning: {summary['onnx_warning']}"] if summary.get("onnx_warning") else []),
    ]


def _front(summary: dict[str, Any], directory: Path) -> list[str]:
    """Smaller networks are often ancestors that were trained for a short time: the epochs tell."""
    lines = [
        f"Front of all trained networks (nas-surgery export {directory} --parameters N -o FILE)",
        f"  {'parameters':>12}  {'epochs':>8}  {'validation loss':>15}  {metric_name(summary):>8}",
    ]
    return lines + [
        f"  {point['parameters']:>12,}  {_epochs(point):>8}  {point['loss']:>15.4f}"
        f"  {point['accuracy']:>8.4f}"
        for point in summary["pareto"]
    ]


def _epochs(point: dict[str, Any]) -> str:
    """How long a network was trained; summaries of older versions do not tell."""
    return f"{round(point['epochs'], 2):g}" if "epochs" in point else "?"
