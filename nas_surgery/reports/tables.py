"""What stands behind each chart: the numbers, as rows of text."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import attrs

from nas_surgery.analysis.spectra import analyse
from nas_surgery.network import Network
from nas_surgery.network.text import one_line
from nas_surgery.reports.charts.front import front_of
from nas_surgery.reports.ledger import Entry, ledger, total
from nas_surgery.reports.record import Point, Record, Trial
from nas_surgery.reports.timeline import Timeline, describe, widths
from nas_surgery.reports.wording import number, whole


@attrs.frozen
class Table:
    """caption: what it holds. head: names of columns. rows: cells, those of numbers formatted. words: the
    columns that hold text and are set to the left."""

    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    words: frozenset[int] = frozenset({0})


def figures_table(record: Record) -> Table:
    """Winner and baseline side by side; of a run without a result the best network so far."""
    columns = dict(_columns(record))
    metric = record.metric
    names = ("hidden layers", "parameters", "MACs", f"validation {metric}", f"test {metric}")
    cells = zip((*names, "validation loss"), *columns.values(), strict=True)
    return Table(
        "Winner and baseline" if record.summary else "So far", ("", *columns), tuple(cells)
    )


def _columns(record: Record) -> Iterator[tuple[str, tuple[str, ...]]]:
    summary, best = record.summary, record.winner
    if summary is not None:
        sizes = {key: summary[key]["end"] for key in ("hidden", "parameters", "macs")}
        yield "winner", _figures({**summary, **sizes})
        if summary["baseline"] and "failure" not in summary["baseline"]:
            yield "start topology, trained as long", _figures(summary["baseline"])
    elif best is not None:
        found = {"hidden": best.hidden, "parameters": best.parameters, "macs": best.network.macs}
        measured = {"accuracy": {"validation": best.accuracy}, "loss": {"validation": best.loss}}
        yield "best so far", _figures({**found, **measured})


def _figures(found: Mapping[str, Any]) -> tuple[str, ...]:
    accuracy = found["accuracy"]
    sizes = widths(found["hidden"]), whole(found["parameters"]), whole(found["macs"])
    losses = number(found["loss"]["validation"])
    return *sizes, number(accuracy["validation"]), number(accuracy.get("test")), losses


def history_table(record: Record) -> Table:
    """A row for each epoch at which the winner's way or the baseline was measured."""
    metric, none = record.metric, "–"
    winner = {point.epoch: (trial, point) for trial in record.lineage for point in trial.points}
    beside = {p.epoch: p for p in record.baseline.points} if record.baseline else {}
    rows = []
    for epoch in sorted({*winner, *beside}):
        cells = [none] * 4
        if epoch in winner:
            trial, point = winner[epoch]
            cells = [*_measured(point), number(point.training_loss), whole(trial.parameters)]
        if beside:
            cells += _measured(beside[epoch]) if epoch in beside else (none, none)
        rows.append((f"{epoch:g}", *cells))
    head = ["epoch", f"winner's {metric}", "loss", "training loss", "parameters"]
    head += [f"start topology's {metric}", "loss"] if beside else []
    return Table("By epoch, on the validation part", tuple(head), tuple(rows), frozenset())


def _measured(point: Point) -> tuple[str, str]:
    return number(point.accuracy), number(point.loss)


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
    head = [
        "job",
        "from",
        "epochs",
        "what",
        "what became of it",
        "parameters",
        record.metric,
        "loss",
    ]
    head += [score_name(record), "damage predicted", "measured", "Δ loss", f"Δ {record.metric}"]
    rows = [_trial_row(trial, record) for trial in record.trials.values()]
    if reasons:
        head.append("why proposed")
        rows = [
            (*row, reasons.get(trial, "")) for row, trial in zip(rows, record.trials, strict=True)
        ]
    return Table("Every job", tuple(head), tuple(rows), frozenset({3, 4, 13}))


def score_name(record: Record) -> str:
    """What candidates were compared by."""
    if any("losses" in decision for decision in record.decisions):
        return "loss + price of size (lower wins)"
    return "score (higher wins)"


def _trial_row(trial: Trial, record: Record) -> tuple[str, ...]:
    damage = trial.damage
    return (
        str(trial.id),
        "start" if trial.parent is None else str(trial.parent),
        f"{trial.began:.4g} → {trial.ended:.4g}",
        "; ".join(map(describe, trial.operations)) or one_line(trial.purpose),
        fate(trial, record),
        whole(trial.parameters),
        number(trial.accuracy),
        number(trial.loss),
        number(trial.score),
        number(damage.get("predicted"), ".3g"),
        number(damage.get("outputs"), ".3g"),
        number(damage.get("loss"), "+.4f"),
        number(damage.get("accuracy"), "+.4f"),
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
    head = ("what for", "jobs", "epochs", "training MACs", "MACs of evaluations and probes")
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
