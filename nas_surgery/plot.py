"""Plots of a run by matplotlib (an extra: `pip install 'nas-surgery[plot]'`).

Each function takes a Result or a run directory, and draws on the axes that it is given, or on new ones; it
returns the axes.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from nas_surgery.network import ArgumentError
from nas_surgery.reports.charts.front import draw_front
from nas_surgery.reports.charts.history import VALUES, draw_history
from nas_surgery.reports.charts.spectra import draw_spectra
from nas_surgery.reports.charts.style import PIXEL, matplotlib
from nas_surgery.reports.charts.topology import draw_topology, topology_size
from nas_surgery.reports.figures import networks_of
from nas_surgery.reports.record import Record, record_of
from nas_surgery.runs.result import Result

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SIZE = (7.0, 4.0)  # inches


def plot_history(
    run: Result | str | Path, ax: "Axes | None" = None, *, what: str = "accuracy"
) -> "Axes":
    """The winner's way and the baseline against epochs, with a number at each surgery.

    what: "accuracy" (R² of a regression) or "loss", on the validation part, or "parameters".
    """
    if what not in VALUES:
        raise ArgumentError(f"what must be one of {', '.join(VALUES)}, got {what!r}")
    record = _record(run)
    axes = _axes(ax)
    draw_history(axes, record, what)
    return axes


def plot_topology(run: Result | str | Path, ax: "Axes | None" = None) -> "Axes":
    """A row of boxes for each surgery on the winner's way, every layer at one place."""
    record = _record(run)
    width, height = topology_size(record)
    axes = _axes(ax, (width * PIXEL, height * PIXEL))
    draw_topology(axes, record)
    return axes


def plot_front(run: Result | str | Path, ax: "Axes | None" = None) -> "Axes":
    """Validation loss against parameters, of everything that was trained, with the Pareto front."""
    record = _record(run)
    axes = _axes(ax)
    draw_front(axes, record)
    return axes


def plot_spectra(run: Result | str | Path, ax: "Axes | None" = None) -> "Axes":
    """Singular values of the hidden layers, of the winner and, of a run on disk, of its start."""
    record = _record(run)
    start, winner = networks_of(record.directory)
    axes = _axes(ax)
    draw_spectra(axes, start, run.network if isinstance(run, Result) else winner)
    return axes


def _record(run: Result | str | Path) -> Record:
    if not isinstance(run, Result | str | Path):
        raise ArgumentError(f"a Result or a run directory is needed, got {type(run).__name__}")
    return record_of(run)


def _axes(ax: "Axes | None", size: tuple[float, float] = SIZE) -> "Axes":
    """The given axes, or those of a new figure of pyplot's."""
    if ax is not None:
        return ax
    figure = matplotlib("pyplot").figure(figsize=size, layout="constrained")
    axes: Axes = figure.subplots()
    return axes


__all__ = ["plot_front", "plot_history", "plot_spectra", "plot_topology"]
