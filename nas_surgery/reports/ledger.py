"""What a run spent, and on what."""

from collections.abc import Iterable

import attrs

from nas_surgery.reports.record import Record, Trial
from nas_surgery.strategies.jobs import Cost

NAMES = {
    "pretrain": "before the first decision",
    "candidate": "candidates",
    "branch": "branches",
}


@attrs.frozen
class Entry:
    """A line: how many jobs of a kind, and what they cost. kept: whether the winner came of them.
    epochs: of the training part. relative: training MACs ÷ those of training the winner alone for all epochs."""

    name: str
    kept: bool
    jobs: int
    cost: Cost
    epochs: float
    relative: float | None


def ledger(record: Record) -> tuple[Entry, ...]:
    """What became the winner, then what did not, by purpose; the baseline last, which is not the search's."""
    winners = {trial.id for trial in record.lineage}
    lost: dict[str, list[Trial]] = {}
    for trial in record.trials.values():
        if trial.id not in winners:
            lost.setdefault(trial.purpose, []).append(trial)
    entries = [_entry("became the winner", True, record.lineage, record)]
    for purpose, trials in lost.items():
        entries.append(_entry(f"{NAMES.get(purpose, purpose)} that lost", False, trials, record))
    if record.baseline is not None:
        entries.append(_entry("baseline, beside the search", False, [record.baseline], record))
    return tuple(entries)


def total(record: Record) -> Entry:
    """The whole search."""
    return _entry("the search", False, record.trials.values(), record)


def _entry(name: str, kept: bool, trials: Iterable[Trial], record: Record) -> Entry:
    held = list(trials)
    cost = sum((trial.cost for trial in held), Cost())
    reference = record.reference
    return Entry(
        name,
        kept,
        len(held),
        cost,
        cost.training_samples / record.header["data"]["train"],
        cost.training_macs / reference if reference else None,
    )
