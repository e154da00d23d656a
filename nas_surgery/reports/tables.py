"""What stands behind each chart: the numbers, as rows of text."""

from collections.abc import Iterable, Mapping
from typing import Any

import attrs

from nas_surgery.analysis.spectra import analyse
from nas_surgery.network import Network
from nas_surgery.network.text import one_line
from nas_surgery.reports.charts.front import front_of
from nas_surgery.reports.ledger import Entry, ledger, total
from nas_surgery.reports.record import Record, Trial
from nas_surgery.reports.timeline import Timeline, describe, widths


@attrs.frozen
class Table:
    """caption: what it holds. head: names of columns. rows: cells, those of numbers formatted. words: the
    columns that hold text and are set to the left."""

    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    words: frozenset[int] = frozenset({0})


def number(value: float | None, form: str = ".4f") -> str:
    """A number, or a dash for what was not measured."""
    return "–" if value is None else format(value, form)


def whole(value: float | None) -> str:
    """A whole number with separators."""
    return number(value, ",.0f")


def figures_table(record: Record) -> Table:
    """Start, baseline, winner side by side; of a run without a result the best network so far."""
    summary, metric = record.summary, record.metric
    head = ("", "hidden", "parameters", "MACs", f"validation {metric}", f"test {metric}", "loss")
    if summary is None:
        rows = [_standing("best so far", record.winner)] if record.winner else []
        return Table("The run so far", head, tuple(rows), frozenset({0, 1}))
    winner = {
        **{key: summary[key]["end"] for key in ("hidden", "parameters", "macs")},
        "accuracy": summary["accuracy"],
        "loss": summary["loss"],
    }
    rows = [_figures("winner", winner)]
    if summary["baseline"] and "failure" not in summary["baseline"]:
        rows.append(_figures("start topology, trained as long", summary["baseline"]))
    return Table("Winner and baseline", head, tuple(rows), frozenset({0, 1}))


def _figures(name: str, found: Mapping[str, Any]) -> tuple[str, ...]:
    accuracy = found["accuracy"]
    sizes = widths(found["hidden"]), whole(found["parameters"]), whole(found["macs"])
    losses = number(found["loss"]["validation"])
    return name, *sizes, number(accuracy["validation"]), number(accuracy.get("test")), losses


def _standing(name: str, trial: Trial) -> tuple[str, ...]:
    sizes = widths(trial.hidden), whole(trial.parameters), whole(trial.network.macs)
    return name, *sizes, number(trial.accuracy), "–", number(trial.loss)


def history_table(record: Record) -> Table:
    """A row for each epoch at which the winner's way or the baseline was measured."""
    rows: dict[float, list[str]] = {}
    for trial in record.lineage:
        for point in trial.points:
            figures = number(point.accuracy), number(point.loss), number(point.training_loss)
            rows[point.epoch] = [*figures, whole(trial.parameters)]
    blank = ["–"] * 4
    beside = {p.epoch: p for p in record.baseline.points} if record.baseline else {}
    for epoch, point in beside.items():
        rows.setdefault(epoch, [*blank])
        rows[epoch] += [number(point.accuracy), number(point.loss)]
    metric = record.metric
    head = ("epoch", f"winner's {metric}", "loss", "training loss", "parameters")
    if beside:
        head = (*head, f"start topology's {metric}", "loss")
    full = ((f"{epoch:g}", *rows[epoch], *blank) for epoch in sorted(rows))
    return Table(
        "By epoch, on the validation part",
        head,
        tuple(row[: len(head)] for row in full),
        frozenset(),
    )


def timeline_table(line: Timeline, metric: str) -> Table:
    """A row for each step."""
    head = ("step", "epoch", "what was done", "what became of it", "hidden", "parameters", "MACs")
    rows = tuple(
        (
            str(step.number),
            f"{step.epoch:g}",
            "; ".join(step.operations) or "–",
            "; ".join(step.changes),
            widths(step.last.hidden),
            whole(step.last.parameters),
            whole(step.last.network.macs),
            number(step.last.accuracy),
            number(step.last.loss),
        )
        for step in line.steps
    )
    words = frozenset({2, 3, 4})
    return Table("Step by step", (*head, f"{metric} at its end", "loss"), rows, words)


def trials_table(record: Record) -> Table:
    """A row for each job, in the order of the journal."""
    reasons = {
        proposal["job"]: one_line(proposal.get("reason", ""))
        for decision in record.decisions
        for proposal in decision.get("proposals", ())
        if proposal.get("job") is not None
    }
    head = (
        "job",
        "from",
        "epochs",
        "what",
        "parameters",
        record.metric,
        "loss",
        score_name(record),
    )
    damage = ("damage predicted", "measured", "Δ loss", f"Δ {record.metric}")
    rows = tuple(_trial_row(trial, record, reasons) for trial in record.trials.values())
    words = frozenset({3, 12, 13})
    return Table("Every job", (*head, *damage, "what became of it", "why proposed"), rows, words)


def score_name(record: Record) -> str:
    """What candidates were compared by."""
    if any("losses" in decision for decision in record.decisions):
        return "loss + price of size (lower wins)"
    return "score (higher wins)"


def _trial_row(trial: Trial, record: Record, reasons: Mapping[int, str]) -> tuple[str, ...]:
    damage = trial.damage
    return (
        str(trial.id),
        "start" if trial.parent is None else str(trial.parent),
        f"{trial.began:.4g} → {trial.ended:.4g}",
        "; ".join(map(describe, trial.operations)) or one_line(trial.purpose),
        whole(trial.parameters),
        number(trial.accuracy),
        number(trial.loss),
        number(trial.score),
        number(damage.get("predicted"), ".3g"),
        number(damage.get("outputs"), ".3g"),
        number(damage.get("loss"), "+.4f"),
        number(damage.get("accuracy"), "+.4f"),
        fate(trial, record),
        reasons.get(trial.id, ""),
    )


def fate(trial: Trial, record: Record) -> str:
    """What became of a trial, in a word or with the reason of its failure."""
    if trial.failure is not None:
        return f"failed: {one_line(trial.failure)}"
    if trial in record.lineage:
        return "led to the winner" if record.summary else "leads to the best so far"
    if trial.selected:
        return "went on, and lost"
    return "lost" if trial.selected is False else "went no further"


def front_table(record: Record) -> Table:
    """The front, smallest first."""
    rows = tuple(
        (
            str(t.id),
            widths(t.hidden),
            whole(t.parameters),
            f"{t.ended:.4g}",
            number(t.loss),
            number(t.accuracy),
        )
        for t in front_of(record)
    )
    head = ("job", "hidden", "parameters", "epochs", "loss", record.metric)
    return Table("The front, smallest first", head, rows, frozenset({1}))


def ledger_table(record: Record) -> Table:
    """What was spent."""
    head = ("", "jobs", "epochs", "training MACs", "MACs of evaluations and probes")
    entries: Iterable[Entry] = (*ledger(record), total(record))
    rows = tuple(
        (
            entry.name,
            whole(entry.jobs),
            f"{entry.epochs:,.1f}",
            whole(entry.cost.training_macs),
            whole(entry.cost.forward_macs),
            number(entry.relative, ".2f"),
        )
        for entry in entries
    )
    return Table("What was spent", (*head, "training ÷ the winner's alone"), rows)


def spectra_table(start: Network | None, winner: Network | None) -> Table:
    """A row for each hidden layer, with all its singular values."""
    rows = tuple(
        (
            name,
            str(layer.index),
            whole(layer.units),
            whole(layer.removable),
            " ".join(f"{value:.3g}" for value in layer.singular_values),
        )
        for name, network in (("start", start), ("winner", winner))
        if network is not None
        for layer in analyse(network).layers
    )
    head = ("network", "hidden layer", "units", "spare (eq. 13)", "singular values")
    return Table("Singular values", head, rows, frozenset({0, 4}))
