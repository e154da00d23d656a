"""The Pareto front: validation loss against size, of everything that was trained."""

from typing import TYPE_CHECKING

from nas_surgery.reports.charts.style import (
    BASELINE,
    INK,
    OTHER,
    PAPER,
    TEXT,
    WINNER,
    below,
    calm,
    tip,
    title,
    width,
)
from nas_surgery.reports.record import Record, Trial
from nas_surgery.reports.timeline import widths

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SIZE = 60  # pixels that a label of the horizontal axis needs
ENOUGH = 4  # labels of the horizontal axis
CROP = 4.0  # the worst loss that is shown, ÷ that of the front's worst network


def draw_front(ax: "Axes", record: Record) -> None:
    """Draw the front as a line, everyone else as a dot, winner and baseline by name."""
    calm(ax)
    title(ax, "Validation loss", 8)
    below(ax, "parameters")
    ax.set_xscale("log")
    trained = [t for t in record.trials.values() if t.loss is not None and t.parameters]
    for trial in trained:
        ax.plot(
            trial.parameters or 0, trial.loss or 0.0, ".", color=OTHER, markersize=5, zorder=2,
            gid=tip(_told(trial, record)),
        )  # fmt: skip
    front = front_of(record)
    _draw_line(ax, front, record)
    _name(ax, record.winner, "winner" if record.summary else "best so far", WINNER, "D", -13)
    _name(ax, record.baseline, "start topology", BASELINE, "s", 13)
    if record.baseline is not None and record.baseline.loss is not None:
        trained.append(record.baseline)
    _scale(ax, trained, front)


def front_of(record: Record) -> tuple[Trial, ...]:
    """Trials that none beats in loss without being larger; smallest first."""
    trained = [t for t in record.trials.values() if t.loss is not None and t.parameters is not None]
    front: list[Trial] = []
    for trial in sorted(trained, key=lambda t: (t.parameters or 0, t.loss or 0.0, t.id)):
        if not front or (trial.loss or 0.0) < (front[-1].loss or 0.0):
            front.append(trial)
    return tuple(front)


def _draw_line(ax: "Axes", front: tuple[Trial, ...], record: Record) -> None:
    xs, ys = [t.parameters or 0 for t in front], [t.loss or 0.0 for t in front]
    ax.plot(xs, ys, color=INK, linewidth=1.0, drawstyle="steps-post", zorder=3)
    for trial in front:
        ax.plot(
            trial.parameters or 0, trial.loss or 0.0, "o", color=INK, markerfacecolor=PAPER, markersize=6,
            zorder=4, gid=tip(_told(trial, record)),
        )  # fmt: skip


def _name(ax: "Axes", trial: Trial | None, name: str, colour: str, sign: str, rise: float) -> None:
    if trial is None or trial.loss is None:
        return
    ax.plot(trial.parameters or 0, trial.loss, sign, color=colour, markersize=7, zorder=6)
    ax.annotate(
        f"{name}, {widths(trial.hidden)}", (trial.parameters or 0, trial.loss), (0, rise),
        textcoords="offset points", ha="center", va="center", fontsize=TEXT - 1, color=colour,
        parse_math=False, zorder=7, annotation_clip=False,
        bbox={"facecolor": PAPER, "edgecolor": "none", "pad": 1, "alpha": 0.85},
    )  # fmt: skip


def _scale(ax: "Axes", trained: list[Trial], front: tuple[Trial, ...]) -> None:
    """Room for the names at both sides; losses far above the front are cut off."""
    if not front:
        return
    sizes = [t.parameters or 1 for t in trained]
    room = max(1.6, (max(sizes) / min(sizes)) ** 0.15)
    low, high = min(sizes) / room, max(sizes) * room
    ax.set_xlim(low, high)
    ax.minorticks_off()
    ticks = _round_sizes(low, high, most=max(2, int(width(ax) / SIZE)))
    ax.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
    losses = [t.loss or 0.0 for t in trained]
    bottom, worst = min(losses), front[0].loss or 0.0
    top = min(max(losses), max(CROP * worst, worst + 1e-9))
    margin = 0.12 * (top - bottom) or 0.1
    ax.set_ylim(bottom - margin, top + margin)


def _round_sizes(low: float, high: float, most: int) -> list[int]:
    """Round numbers between two: as few as say where they lie, and at most so many."""
    found: list[int] = []
    for digits in ((1,), (1, 3), (1, 2, 5), (1, 2, 3, 4, 5, 6, 7, 8, 9)):
        steps = (digit * 10**power for power in range(13) for digit in digits)
        found = [step for step in steps if low <= step <= high]
        if len(found) >= ENOUGH:
            break
    return found[:: max(1, -(-len(found) // most))]


def _told(trial: Trial, record: Record) -> str:
    accuracy = "" if trial.accuracy is None else f", {record.metric} {trial.accuracy:.4f}"
    return (
        f"job {trial.id}: {widths(trial.hidden)}, {trial.parameters:,} parameters,"
        f" {trial.ended:g} epochs, loss {trial.loss:.4f}{accuracy}"
    )
