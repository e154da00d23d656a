"""How the winner came to its shape: one step for each surgery on the way, or each decision to leave it alone."""

from collections.abc import Sequence
from typing import Any

import attrs

from nas_surgery.network import Network
from nas_surgery.network.text import one_line
from nas_surgery.reports.boxes import Box, Place, follow, layout
from nas_surgery.reports.boxes import Step as Boxes
from nas_surgery.reports.record import Record, Trial


@attrs.frozen(eq=False)
class Step:
    """A stretch of the winner's lineage from one surgery to the next.

    number: counts from 0, the start. epoch: when it began. trials: of which it consists. changes: what
    differs from the step before, in words. gone: keys of boxes that are no more.
    """

    number: int
    epoch: float
    trials: tuple[Trial, ...]
    drawn: Boxes
    changes: tuple[str, ...]
    before: Boxes | None

    @property
    def last(self) -> Trial:
        """How the stretch ended."""
        return self.trials[-1]

    @property
    def operations(self) -> tuple[str, ...]:
        """The surgery that began it."""
        return tuple(map(describe, self.trials[0].operations))

    @property
    def gone(self) -> tuple[tuple[int, Box], ...]:
        """Boxes of the step before that are no more, with their keys."""
        if self.before is None:
            return ()
        pairs = zip(self.before.keys, self.before.boxes, strict=True)
        return tuple((key, box) for key, box in pairs if key not in self.drawn.keys)

    def was(self, key: int) -> Box | None:
        """The same box a step before, if there was one."""
        if self.before is None or key not in self.before.keys:
            return None
        return self.before.boxes[self.before.keys.index(key)]


@attrs.frozen(eq=False)
class Timeline:
    """All steps, and where each key is drawn in every one of them."""

    steps: tuple[Step, ...]
    places: dict[int, Place]


def timeline(record: Record) -> Timeline:
    """The steps of a record; none where no network has come out yet."""
    stretches = _stretches(record.lineage)
    drawn = _followed(record.lineage)
    steps: list[Step] = []
    for trials in stretches:
        boxes = drawn[trials[0].id]
        before = steps[-1].drawn if steps else None
        words = _changes(before, boxes) if before else ("the start",)
        if before and not words:
            words = (_unchanged(trials[0]),)
        steps.append(Step(len(steps), trials[0].began, trials, boxes, words, before))
    return Timeline(tuple(steps), layout([step.drawn for step in steps]) if steps else {})


def _stretches(lineage: Sequence[Trial]) -> list[tuple[Trial, ...]]:
    """Trials up to the next one that operates. What comes before the first surgery is the start."""
    found: list[list[Trial]] = []
    for trial in lineage:
        if not found or trial.operations:
            found.append([])
        found[-1].append(trial)
    return [tuple(trials) for trials in found]


def _followed(lineage: Sequence[Trial]) -> dict[int, Boxes]:
    networks = [trial.network for trial in lineage]
    steps = follow(networks, [trial.origins for trial in lineage])
    return {trial.id: step for trial, step in zip(lineage, steps, strict=True)}


def _unchanged(trial: Trial) -> str:
    revived = [op for op in trial.operations if op["name"] != "identity"]
    return "weights only" if revived else "left as it is"


def _changes(before: Boxes, after: Boxes) -> tuple[str, ...]:
    """In words, from the input to the output."""
    old = dict(zip(before.keys, before.boxes, strict=True))
    words, place = [], 0
    for key, box in zip(after.keys, after.boxes, strict=True):
        place += box.kind == "hidden"
        if key not in old:
            words.append(f"new layer {place} of {box.units:,}" if box.kind == "hidden" else "join")
        elif old[key].units != box.units:
            words.append(f"layer {place}: {old[key].units:,} → {box.units:,}")
    gone = [old[key] for key in before.keys if key not in after.keys]
    words += [f"layer of {box.units:,} removed" for box in gone if box.kind == "hidden"]
    return tuple(words)


def describe(operation: dict[str, Any]) -> str:
    """An operation of a journal, such as `add_neurons(layer=1, count=2)`; installed or not."""
    rest = ", ".join(f"{key}={value}" for key, value in operation.items() if key != "name")
    return one_line(f"{operation['name']}({rest})" if rest else operation["name"])


def widths(network: Network | Sequence[int]) -> str:
    """Widths of hidden layers, such as "32-16"."""
    hidden = network.hidden if isinstance(network, Network) else network
    return "-".join(map(str, hidden)) or "none"


def timeline_json(record: Record) -> list[dict[str, Any]]:
    """The steps as JSON values."""
    return [
        {
            "epoch": step.epoch,
            "operations": [dict(operation) for operation in step.trials[0].operations],
            "changes": list(step.changes),
            "hidden": list(step.last.hidden),
            "parameters": step.last.parameters,
            "accuracy": step.last.accuracy,
            "loss": step.last.loss,
        }
        for step in timeline(record).steps
    ]


def timeline_text(record: Record) -> str:
    """The steps as lines in aligned columns."""
    rows = [("epoch", "parameters", record.metric, "hidden", "what was done")]
    for step in timeline(record).steps:
        last = step.last
        accuracy = "–" if last.accuracy is None else f"{last.accuracy:.4f}"
        size = "–" if last.parameters is None else f"{last.parameters:,}"
        did = "; ".join(step.changes)
        rows.append((f"{step.epoch:g}", size, accuracy, widths(last.hidden), did))
    spans = [max(len(row[i]) for row in rows) for i in range(4)]
    lines = [
        f"  {a.rjust(spans[0])}  {b.rjust(spans[1])}  {c.rjust(spans[2])}  {d.ljust(spans[3])}  {e}"
        for a, b, c, d, e in rows
    ]
    state = "" if record.summary else ", the best network so far"
    return "\n".join(
        [
            f"How it came to its shape (validation {record.metric} when each step ended){state}",
            *lines,
        ]
    )
