"""The tree of branches and candidates: a column for each decision, in it who was tried, best first."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from nas_surgery.reports.charts.style import (
    INK,
    MUTED,
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
from nas_surgery.reports.timeline import describe, timeline

if TYPE_CHECKING:
    from matplotlib.axes import Axes

EPOCH = 42  # pixels that a label needs
Nodes = dict[int, tuple[int, int]]  # by trial: column and row


def draw_tree(ax: "Axes", record: Record) -> None:
    """Draw every trial below its decision; the winner's way runs along the top."""
    nodes = arranged(record)
    calm(ax, left=False)
    ax.spines["bottom"].set_visible(False)
    title(ax, "Who was tried at each decision, the winner's way on top", 8)
    below(ax, "epochs trained when it was decided")
    for trial in record.trials.values():
        _draw_edge(ax, nodes, trial, trial in record.lineage)
    rows = max((row for _, row in nodes.values()), default=0)
    columns = max((column for column, _ in nodes.values()), default=0)
    size = min(6.5, 0.6 * width(ax) / (columns + 1))
    for trial in record.trials.values():
        _draw_node(ax, nodes[trial.id], trial, size, record)
    ax.set(xlim=(-0.6, columns + 0.6), ylim=(rows + 0.6, -0.9), yticks=[])
    _number_surgeries(ax, record, nodes)
    _label_columns(ax, record, nodes)


def arranged(record: Record) -> Nodes:
    """A column for each decision that asked for trials, and a row for each of these: the winner's first,
    then those that went on, then the rest by how they ended."""
    columns: dict[int, list[Trial]] = {}
    for trial in record.trials.values():
        columns.setdefault(trial.round, []).append(trial)
    parents = {trial.parent for trial in record.trials.values()}
    winners = {trial.id for trial in record.lineage}
    nodes: Nodes = {}
    for column, number in enumerate(sorted(columns)):
        ranked = sorted(columns[number], key=lambda t: _rank(t, winners, parents))
        first = 0 if ranked[0].id in winners else 1
        nodes |= {trial.id: (column, first + row) for row, trial in enumerate(ranked)}
    return nodes


def _rank(
    trial: Trial, winners: set[int], parents: set[int | None]
) -> tuple[bool, bool, bool, float]:
    loss = float("inf") if trial.loss is None else trial.loss
    return trial.id not in winners, trial.id not in parents, trial.failure is not None, loss


def _draw_edge(ax: "Axes", nodes: Nodes, trial: Trial, winner: bool) -> None:
    """From the parent's column, level for a while and then to the row."""
    if trial.parent not in nodes:
        return
    (x, y), (to_x, to_y) = nodes[trial.parent], nodes[trial.id]
    colour, weight = (WINNER, 2.0) if winner else (OTHER, 0.8)
    ax.plot(
        [x, to_x - 0.7, to_x - 0.3, to_x], [y, y, to_y, to_y], color=colour, linewidth=weight,
        solid_joinstyle="round", zorder=2 + winner,
    )  # fmt: skip


def _draw_node(
    ax: "Axes", place: tuple[int, int], trial: Trial, size: float, record: Record
) -> None:
    """Its sign says what became of the size: up, down, as it was, or a cross for what failed."""
    winner = trial in record.lineage
    colour = WINNER if winner else MUTED
    face = colour if winner or trial.selected else PAPER
    ax.plot(
        *place, marker=_sign(trial, record), markersize=size, color=colour, markerfacecolor=face,
        markeredgewidth=1.1, linestyle="none", zorder=5, gid=tip(told(trial, record)),
    )  # fmt: skip


def _sign(trial: Trial, record: Record) -> str:
    if trial.failure is not None:
        return "x"
    before = record.trials.get(trial.parent) if trial.parent is not None else None
    if before is None or before.parameters is None or before.parameters == trial.parameters:
        return "o"
    return "^" if (trial.parameters or 0) > before.parameters else "v"


def told(trial: Trial, record: Record) -> str:
    """A trial in a few lines."""
    did = ", ".join(map(describe, trial.operations)) or trial.purpose
    if trial.failure is not None:
        return f"job {trial.id}: {did} · failed: {trial.failure}"
    figures: Iterable[tuple[str, float | None]] = (
        (record.metric, trial.accuracy),
        ("loss", trial.loss),
        ("score", trial.score),
        ("damage predicted", trial.damage.get("predicted")),
        ("measured", trial.damage.get("outputs")),
    )
    shown = ", ".join(f"{name} {value:.4g}" for name, value in figures if value is not None)
    return f"job {trial.id}: {did} · {trial.parameters:,} parameters, {shown}"


def _number_surgeries(ax: "Axes", record: Record, nodes: Nodes) -> None:
    """As in the timeline, above the candidates that won."""
    for step in timeline(record).steps[1:]:
        ax.annotate(
            str(step.number), nodes[step.trials[0].id], (0, 12), textcoords="offset points",
            ha="center", va="center", fontsize=TEXT - 2, color=INK,
        )  # fmt: skip


def _label_columns(ax: "Axes", record: Record, nodes: Nodes) -> None:
    """The epoch under the first column that it has, where there is room."""
    first: dict[int, int] = {}
    for trial in record.trials.values():
        first.setdefault(round(trial.began), nodes[trial.id][0])
    columns = 1 + max(first.values(), default=0)
    room = columns * EPOCH / max(1.0, width(ax))
    kept: list[tuple[int, int]] = []
    for epoch, column in sorted(first.items(), key=lambda item: item[1]):
        if not kept or column - kept[-1][1] >= room:
            kept.append((epoch, column))
    ax.set_xticks([column for _, column in kept], [str(epoch) for epoch, _ in kept])
