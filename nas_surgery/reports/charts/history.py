"""Accuracy, loss and size against epochs: the winner's way, its surgeries, the baseline, and everyone else in pale (Fig. 4)."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from math import isfinite
from typing import TYPE_CHECKING, Any

from nas_surgery.reports.charts.style import (
    BASELINE,
    INK,
    OTHER,
    PAPER,
    TEXT,
    WINNER,
    Label,
    below,
    calm,
    label_ends,
    tip,
    title,
    width,
)
from nas_surgery.reports.record import Point, Record, Trial
from nas_surgery.reports.timeline import Step, timeline

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Value = Callable[[Trial, Point], "float | None"]
VALUES: dict[str, Value] = {
    "accuracy": lambda trial, point: point.accuracy,
    "loss": lambda trial, point: point.loss,
    "parameters": lambda trial, point: trial.parameters,
}
WIDE_RANGE = 30.0  # largest ÷ smallest loss from which on a logarithmic axis tells more
LOWEST_R2 = -0.5  # what is worse is nothing that one needs to tell apart
APART = 20.0  # pixels between two numbers


def draw_history(
    ax: "Axes", record: Record, what: str = "accuracy", *, numbered: bool = True
) -> None:
    """Draw one of "accuracy", "loss" and "parameters" against epochs; numbered: say which surgery is which."""
    value = VALUES[what]
    calm(ax)
    title(ax, _name(record, what), 24 if numbered and record.lineage else 6)
    below(ax, "epochs trained")
    labels = [*_draw_baseline(ax, record, value, what), *_draw_winner(ax, record, value, what)]
    _scale(ax, record, what)
    if what != "parameters":
        _draw_others(ax, record, value)
    mark_surgeries(ax, record, numbered)
    label_ends(ax, labels, above=what == "loss")


def series(trials: Iterable[Trial], value: Value) -> tuple[list[float], list[float]]:
    """Epochs and values along a lineage, without what was not measured."""
    points = [
        (point.epoch, found)
        for trial in trials
        for point in trial.points
        if (found := value(trial, point)) is not None and isfinite(found)
    ]
    return [epoch for epoch, _ in points], [found for _, found in points]


def _name(record: Record, what: str) -> str:
    names = {"accuracy": f"Validation {record.metric}", "loss": "Validation loss"}
    return names.get(what, "Parameters")


def _draw_others(ax: "Axes", record: Record, value: Value) -> None:
    """Every other branch and candidate, as a thin line from where it began."""
    winners = {trial.id for trial in record.lineage}
    for trial in record.trials.values():
        if trial.id in winners or trial.ended == trial.began:
            continue
        before = record.trials.get(trial.parent) if trial.parent is not None else None
        start = [] if before is None or before.failure else [before.points[-1]]
        shown = ((p.epoch, value(trial, p)) for p in (*start, *trial.points))
        points = [(epoch, found) for epoch, found in shown if found is not None]
        xs, ys = [epoch for epoch, _ in points], [found for _, found in points]
        ax.plot(xs, ys, color=OTHER, linewidth=0.8, alpha=0.7, zorder=1)


def _draw_winner(ax: "Axes", record: Record, value: Value, what: str) -> Iterator[Label]:
    if what == "loss":
        xs, ys = series(record.lineage, lambda _, point: point.training_loss)
        if xs:
            ax.plot(xs, ys, color=WINNER, linewidth=1.1, linestyle=(0, (1, 1.6)), zorder=3)
            yield xs[-1], ys[-1], "training", WINNER
    xs, ys = series(record.lineage, value)
    if not xs:
        return
    style: dict[str, Any] = {"drawstyle": "steps-pre"} if what == "parameters" else {}
    if what == "parameters":
        xs, ys = [0.0, *xs], [ys[0], *ys]
    ax.plot(xs, ys, color=WINNER, linewidth=2.0, zorder=4, gid=tip("the winner"), **style)
    name = "winner" if record.summary else "best so far"
    yield xs[-1], ys[-1], f"{name} {_figure(ys[-1], what)}", WINNER


def _draw_baseline(ax: "Axes", record: Record, value: Value, what: str) -> Iterator[Label]:
    """Its curve; where it has none, a level line at where it ended."""
    if record.baseline is None or record.baseline.failure is not None:
        return
    xs, ys = series([record.baseline], value)
    if not xs:
        return
    if len(xs) == 1 or what == "parameters":
        xs, ys = [0.0, xs[-1]], [ys[-1], ys[-1]]
    ax.plot(
        xs, ys, color=BASELINE, linewidth=1.4, linestyle=(0, (5, 2.5)), zorder=2,
        gid=tip("the start topology, trained as long"),
    )  # fmt: skip
    yield xs[-1], ys[-1], f"start topology {_figure(ys[-1], what)}", BASELINE


def _figure(value: float, what: str) -> str:
    return f"{value:,.0f}" if what == "parameters" else f"{value:.4f}"


def _scale(ax: "Axes", record: Record, what: str) -> None:
    """By the winner and the baseline; what others did beyond that is cut off."""
    ax.set_xlim(0, max([record.max_epochs, *(trial.ended for trial in record.lineage)]))
    low, high = ax.dataLim.y0, ax.dataLim.y1
    if what == "parameters":
        ax.set_ylim(0, high * 1.15)
        ax.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    elif what == "loss" and low > 0 and high / low > WIDE_RANGE:
        ax.set_yscale("log")
        ax.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
        ax.yaxis.set_minor_formatter(lambda value, _: "")
    elif record.metric == "R²" and low < LOWEST_R2 < high:
        ax.set_ylim(LOWEST_R2, high + 0.05 * (high - LOWEST_R2))
    ax.set_ylim(ax.get_ylim())


def mark_surgeries(ax: "Axes", record: Record, numbered: bool) -> None:
    """A hairline and a number for each surgery that the winner came through; the timeline says what it was."""
    steps = timeline(record).steps[1:]
    for step in steps:
        ax.axvline(step.epoch, color=OTHER, linewidth=0.7, alpha=0.7, zorder=0.5)
    for group in _close(ax, steps) if numbered else ():
        first, last = group[0], group[-1]
        numbers = str(first.number) if first is last else f"{first.number}–{last.number}"
        told = " · ".join(f"{s.number}, epoch {s.epoch:g}: {'; '.join(s.changes)}" for s in group)
        ax.annotate(
            numbers, ((first.epoch + last.epoch) / 2, 1), (0, 9), ("data", "axes fraction"),
            textcoords="offset points", ha="center", va="center", fontsize=TEXT - 2, color=INK,
            annotation_clip=False, gid=tip(told),
            bbox={"boxstyle": "round,pad=0.25", "facecolor": PAPER, "edgecolor": OTHER, "linewidth": 0.7},
        )  # fmt: skip


def _close(ax: "Axes", steps: Sequence[Step]) -> list[list[Step]]:
    """Steps whose marks would lie on each other, together."""
    pixels = width(ax) / (ax.get_xlim()[1] - ax.get_xlim()[0])
    groups: list[list[Step]] = []
    for step in steps:
        if not groups or (step.epoch - groups[-1][-1].epoch) * pixels > APART:
            groups.append([])
        groups[-1].append(step)
    return groups
