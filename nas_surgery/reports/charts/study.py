"""Charts over many runs: bars of S against B (Fig. 2), and what the search gained."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import attrs

from nas_surgery.reports.charts.style import (
    BASELINE,
    INK,
    MUTED,
    PAPER,
    TEXT,
    WINNER,
    below,
    calm,
    tip,
    title,
)
from nas_surgery.reports.wording import number

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ROW = 66.0  # pixels a row
BAR = 0.15  # half of a bar's share of its row


@attrs.frozen
class Value:
    """A mean and its standard deviation, where there are several."""

    mean: float
    std: float | None = None

    def __str__(self) -> str:
        return f"{self.mean:.4f}" if self.std is None else f"{self.mean:.4f} ± {self.std:.4f}"


@attrs.frozen
class Bars:
    """A row: what the search came to, and the start topology trained as long."""

    name: str
    surgeon: Value
    baseline: Value | None = None


@attrs.frozen
class Gain:
    """A row: mean of the paired difference, and its 95 % interval where there are several."""

    name: str
    mean: float
    low: float | None = None
    high: float | None = None


def draw_bars(ax: "Axes", rows: Sequence[Bars], what: str) -> None:
    """Draw a pair of bars for each row, from zero, with the figures beside them."""
    calm(ax, left=False)
    ax.spines["bottom"].set_visible(False)
    title(ax, f"{what}: S, the search; B, the start topology trained as long", 8)
    for place, row in enumerate(rows):
        ax.annotate(row.name, (0, place - 2 * BAR), **_words(0, 2, "bottom"))
        _bar(ax, place - BAR, row.surgeon, f"S {row.surgeon}", WINNER, WINNER)
        if row.baseline is not None:
            _bar(ax, place + BAR, row.baseline, f"B {row.baseline}", BASELINE, PAPER)
    values = [v.mean + (v.std or 0) for row in rows for v in (row.surgeon, row.baseline) if v]
    lows = [v.mean - (v.std or 0) for row in rows for v in (row.surgeon, row.baseline) if v]
    low, high = min([0.0, *lows]), max([1e-9, *values])
    ax.set(xlim=(low, low + (high - low) * (1.3 if len(rows) else 1)), xticks=[], yticks=[])
    ax.set_ylim(len(rows) - 0.5, -0.75)


def _bar(ax: "Axes", place: float, value: Value, text: str, colour: str, face: str) -> None:
    """Filled or hollow, so that it can be told without its colour."""
    ax.barh(
        place, value.mean, height=2 * BAR * 0.85, facecolor=face, edgecolor=colour,
        linewidth=1.0, gid=tip(text),
    )  # fmt: skip
    end = value.mean
    if value.std is not None:
        end += value.std
        ax.plot([value.mean - value.std, end], [place, place], color=INK, linewidth=1.2)
    ax.annotate(text, (max(end, 0.0), place), **_words(6, 0, "center"))


def draw_gains(ax: "Axes", rows: Sequence[Gain], what: str) -> None:
    """Draw S − B for each row, with its interval where there is one; the line is no difference."""
    calm(ax, left=False)
    title(ax, f"{what}: S − B, paired by seed, with its 95 % interval", 8)
    below(ax, "start topology better ← 0 → search better")
    ax.axvline(0, color=MUTED, linewidth=0.9)
    ends = [0.0]
    for place, row in enumerate(rows):
        low, high = (row.mean if end is None else end for end in (row.low, row.high))
        ends += [low, high]
        ax.plot([low, high], [place, place], color=WINNER, linewidth=1.6)
        ax.plot(row.mean, place, "D", color=WINNER, markersize=6.5, gid=tip(f"{row.mean:+.4f}"))
        shown = "" if row.low is None else f" ({_signed(row.low)} to {_signed(row.high)})"
        ax.annotate(
            f"{row.name}: {_signed(row.mean)}{shown}", (0, place), **_words(0, 10, "bottom", "x")
        )
    room = 0.08 * (max(ends) - min(ends)) or 0.1
    ax.set(xlim=(min(ends) - room, max(ends) + room), ylim=(len(rows) - 0.5, -0.9), yticks=[])
    ax.xaxis.set_major_formatter(lambda value, _: number(value, "+.3g") if value else "0")
    ax.locator_params(axis="x", nbins=5)


def _signed(value: float | None) -> str:
    return number(value, "+.4f")


def _words(x: float, y: float, va: str, at: str = "") -> dict[str, Any]:
    """How a name stands beside what it names; at "x": at the left edge of the axes."""
    places: dict[str, Any] = {"xycoords": ("axes fraction", "data")} if at else {}
    face = {"facecolor": PAPER, "edgecolor": "none", "pad": 0}
    return {
        "bbox": face, "xytext": (x, y), "textcoords": "offset points", "va": va, "fontsize": TEXT - 1, "color": INK,
        "parse_math": False, "annotation_clip": False, **places,
    }  # fmt: skip
