"""The topology over time: a row of boxes for each decision, laid out once (Figs. 3 and 5)."""

from typing import TYPE_CHECKING, Any

from nas_surgery.reports.charts.style import (
    INK,
    MUTED,
    OTHER,
    PAPER,
    RULE,
    TEXT,
    WINNER,
    matplotlib,
)
from nas_surgery.reports.drawing import NOTE, Drawing, drawing
from nas_surgery.reports.record import Record
from nas_surgery.reports.timeline import Step, timeline

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LABEL = 120.0  # pixels at the left, for the epoch and the size


def topology_size(record: Record) -> tuple[float, float]:
    """Width and height in pixels that all rows need."""
    line = timeline(record)
    if not line.steps:
        return 300.0, 60.0
    one = drawing(line.steps[0], line)
    return LABEL + one.width, len(line.steps) * one.height + NOTE


def draw_topology(ax: "Axes", record: Record) -> None:
    """Draw every step, the start at the top."""
    line = timeline(record)
    ax.set_axis_off()
    ax.set_aspect("equal")
    width, height = topology_size(record)
    ax.set(xlim=(0, width), ylim=(height, 0))
    top = 0.0
    for step in line.steps:
        drawn = drawing(step, line)
        _label(ax, step, top + drawn.boxes[-1].y)
        _draw(ax, drawn, top)
        top += drawn.height


def _label(ax: "Axes", step: Step, middle: float) -> None:
    size = "" if step.last.parameters is None else f"\n{step.last.parameters:,} parameters"
    ax.text(
        0, middle, f"{step.number}  epoch {step.epoch:g}{size}", fontsize=TEXT - 1, color=MUTED,
        va="center", linespacing=1.5,
    )  # fmt: skip


def _draw(ax: "Axes", drawn: Drawing, top: float) -> None:
    patches, path = matplotlib("patches"), matplotlib("path").Path
    for wire in drawn.wires:
        points = [(LABEL + x, top + y) for x, y in wire]
        codes = [path.MOVETO, path.CURVE4, path.CURVE4, path.CURVE4]
        ax.add_patch(patches.PathPatch(path(points, codes), fill=False, edgecolor=OTHER, zorder=1))
    for box in drawn.boxes:
        x, y = LABEL + box.x, top + box.y
        changed = box.note and not box.gone
        ax.add_patch(
            patches.FancyBboxPatch(
                (x - box.width / 2, y - box.height / 2), box.width, box.height,
                boxstyle="round,pad=0,rounding_size=3",
                facecolor=RULE if box.kind in ("input", "output") else PAPER,
                edgecolor=WINNER if changed else MUTED if not box.gone else OTHER,
                linewidth=1.8 if changed else 1.0, linestyle="--" if box.gone else "-",
                zorder=2 + (not box.gone),
            )
        )  # fmt: skip
        style: dict[str, Any] = {"ha": "center", "va": "center", "parse_math": False, "zorder": 4}
        ax.text(x, y, "" if box.gone else box.text, fontsize=TEXT - 1, color=INK, **style)
        ax.text(
            x, y + box.height / 2 + NOTE / 2 + 1, box.note, fontsize=TEXT - 2.5,
            color=WINNER if changed else MUTED, **style,
        )  # fmt: skip
