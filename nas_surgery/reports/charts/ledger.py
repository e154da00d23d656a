"""The cost ledger as bars: what training the winner took, and what everything that lost took beside it."""

from typing import TYPE_CHECKING

from nas_surgery.reports.charts.style import (
    INK,
    MUTED,
    OTHER,
    TEXT,
    WINNER,
    below,
    calm,
    tip,
    title,
)
from nas_surgery.reports.ledger import Entry, ledger
from nas_surgery.reports.record import Record

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw_ledger(ax: "Axes", record: Record) -> None:
    """Draw a bar for each entry, in units of training the winner alone for all epochs."""
    entries = ledger(record)
    calm(ax, left=False)
    ax.spines["bottom"].set_visible(False)
    title(ax, "Training, in units of training the winner alone", 8)
    below(ax, "")
    for place, entry in enumerate(entries):
        _draw_bar(ax, place, entry)
    ax.set(ylim=(len(entries) - 0.5, -0.8), yticks=[], xticks=[])
    ax.set_xlim(0, max([1.0, *(entry.relative or 0.0 for entry in entries)]) * 1.15)
    ax.axvline(1.0, color=MUTED, linewidth=0.8, linestyle=(0, (4, 3)), zorder=1)


def _draw_bar(ax: "Axes", place: int, entry: Entry) -> None:
    """A bar with its name above it, so that a narrow page has room for both."""
    length = entry.relative or 0.0
    ax.barh(
        place, length, height=0.3, color=WINNER if entry.kept else OTHER, zorder=2,
        gid=tip(f"{entry.name}: {entry.cost.training_macs:,} MACs of training"),
    )  # fmt: skip
    for text, x, rise, kind in (
        (entry.name, 0.0, 16, "bottom"),
        (f"{length:.2f}", length, 0, "center"),
    ):
        ax.annotate(
            text, (x, place), (0 if kind == "bottom" else 5, rise and 9), textcoords="offset points",
            va=kind, fontsize=TEXT - 1, color=INK, parse_math=False,
        )  # fmt: skip
