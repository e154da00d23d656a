"""The charts of a run, each at any width, for the page and as files."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from nas_surgery.errors import ModelFileError, NasSurgeryError
from nas_surgery.formats.atomic import write_atomically
from nas_surgery.formats.models import load
from nas_surgery.network import Network
from nas_surgery.reports.charts.front import draw_front
from nas_surgery.reports.charts.history import draw_history
from nas_surgery.reports.charts.ledger import draw_ledger
from nas_surgery.reports.charts.spectra import draw_spectra
from nas_surgery.reports.charts.style import SETTINGS, Margins, framed, matplotlib
from nas_surgery.reports.charts.topology import draw_topology, topology_size
from nas_surgery.reports.charts.tree import arranged, draw_tree
from nas_surgery.reports.ledger import ledger
from nas_surgery.reports.record import Record

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WIDE, PHONE = 860, 350  # pixels
DOTS = 200  # an inch, of the PNG files
NAMELESS: dict[str, dict[str, Any]] = {
    "svg": {"Date": None},
    "png": {"Software": None},
}  # and no clocks


@attrs.frozen(eq=False)
class Chart:
    """A chart by its name; `figure(width)` draws it at so many pixels. told: what it shows, for those who
    do not see it."""

    name: str
    told: str
    figure: "Callable[[float], Figure]"


def charts_of(record: Record, start: Network | None, winner: Network | None) -> tuple[Chart, ...]:
    """Every chart of a run. start, winner: with weights, where there are any, for the spectra."""
    metric = record.metric
    return (
        Chart(
            "history",
            f"Validation {metric}, loss and size against epochs",
            partial(_history, record),
        ),
        Chart("topology", "The topology at each step", partial(_topology, record)),
        Chart("tree", "The tree of branches and candidates", partial(_tree, record)),
        Chart("front", "Validation loss against parameters", partial(_front, record)),
        Chart("ledger", "What was trained, and what became of it", partial(_ledger, record)),
        Chart("spectra", "Singular values of the hidden layers", partial(_spectra, start, winner)),
    )


def networks_of(directory: Path | None) -> tuple[Network | None, Network | None]:
    """The start and the winner of a run directory; None for what is not there or cannot be read."""
    if directory is None:
        return None, None
    return _loaded(directory / "start.safetensors"), _loaded(directory / "winner.safetensors")


def _loaded(file: Path) -> Network | None:
    try:
        return load(file) if file.is_file() else None
    except ModelFileError:
        return None


def write_figures(charts: tuple[Chart, ...], folder: Path) -> tuple[Path, ...]:
    """Write each chart as SVG and PNG into a folder, made if need be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise NasSurgeryError(f"{folder}: cannot be written: {error.strerror or error}") from None
    return tuple(file for chart in charts for file in _write(chart, folder))


def _write(chart: Chart, folder: Path) -> Iterator[Path]:
    with drawing_style():
        figure = chart.figure(WIDE)
        for suffix, metadata in NAMELESS.items():
            content, file = BytesIO(), folder / f"{chart.name}.{suffix}"
            figure.savefig(content, format=suffix, dpi=DOTS, metadata=metadata)
            write_atomically(file, content.getvalue())
            yield file


@contextmanager
def drawing_style() -> Iterator[None]:
    """The settings of our charts, for as long as it lasts."""
    with matplotlib().rc_context(SETTINGS):
        yield


def _history(record: Record, width: float) -> "Figure":
    figure, axes = framed(width, 560, _beside(width, top=48), (3, 2, 1.2), gap=34)
    for ax, what in zip(axes, ("accuracy", "loss", "parameters"), strict=True):
        draw_history(ax, record, what, numbered=what == "accuracy")
        ax.tick_params(labelbottom=what == "parameters")
    for ax in axes[:-1]:
        ax.set_xlabel("")
    return figure


def _beside(width: float, top: float = 30) -> Margins:
    """Room for numbers at the left, and for the names of lines at the right where the page is wide."""
    return (54, 160 if width == WIDE else 8, top, 44)


def _topology(record: Record, _: float) -> "Figure":
    figure, (ax,) = framed(*topology_size(record), (0, 0, 0, 0))
    draw_topology(ax, record)
    return figure


def _tree(record: Record, width: float) -> "Figure":
    rows = 1 + max((row for _, row in arranged(record).values()), default=0)
    figure, (ax,) = framed(width, 100 + 28 * rows, (0, 0, 44, 44))
    draw_tree(ax, record)
    return figure


def _front(record: Record, width: float) -> "Figure":
    figure, (ax,) = framed(width, 320, (54, 8, 30, 44))
    draw_front(ax, record)
    return figure


def _ledger(record: Record, width: float) -> "Figure":
    figure, (ax,) = framed(width, 60 + 42 * len(ledger(record)), (0, 0, 44, 8))
    draw_ledger(ax, record)
    return figure


def _spectra(start: Network | None, winner: Network | None, width: float) -> "Figure":
    left, right, top, bottom = _beside(width)
    lines = sum(len(network.hidden) for network in (start, winner) if network is not None)
    key = 0 if width == WIDE else 18 * -(-lines // 2)
    figure, (ax,) = framed(width, 320 + key, (left, right, top, bottom + key))
    draw_spectra(ax, start, winner)
    return figure
