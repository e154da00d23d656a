"""Where two runs of one spec part: the first decision that differs, and how close it was."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import attrs

from nas_surgery.search.journal import read_records

Record = Mapping[str, Any]


@attrs.frozen
class Parting:
    """The first decision that two runs took differently.

    place: what was decided where. margin: the least difference of the figures that decided it, in
    either run; outcomes: how far apart the figures of the two runs had drifted until then.
    """

    place: str
    margin: float
    drift: float

    def __str__(self) -> str:
        return f"{self.place}: decided by {self.margin:.2e}, figures {self.drift:.2e} apart"


def read_journal(directory: Path) -> Sequence[Record]:
    """The records of a run."""
    return read_records(directory / "journal.jsonl")


def parting(a: Sequence[Record], b: Sequence[Record]) -> Parting | None:
    """Where the journals of two runs part, or None if all decisions are the same."""
    drift = 0.0
    previous: tuple[Record, Record] = ({}, {})
    for left, right in zip(a, b, strict=False):
        if left["record"] == right["record"] == "outcome":
            drift = max(drift, _drift(left, right))
        if _choice(left) != _choice(right):
            margin = min(_margin(left, previous[0]), _margin(right, previous[1]))
            return Parting(f"epoch {left.get('epoch')}, try {left.get('try')}", margin, drift)
        if left["record"] == "decision":
            previous = (left, right)
    return None if len(a) == len(b) else Parting("the end", float("nan"), drift)


def _choice(record: Record) -> Any:
    """What a record decides, without the figures that it was decided by."""
    if record["record"] == "job":
        return {key: value for key, value in record.items() if key != "crc"}
    if record["record"] == "decision":
        return [record.get(key) for key in ("epoch", "try", "event", "selected", "best")]
    return record["record"]


def _drift(a: Record, b: Record) -> float:
    names = ("accuracy", "loss")
    return max((abs(a[n] - b[n]) for n in names if n in a and n in b), default=float("inf"))


def _margin(record: Record, previous: Record) -> float:
    """The least gap between neighbouring scores of the decision; they are ranked by it."""
    scores = record.get("scores") or previous.get("scores") or {}
    ranked = sorted(score for score in scores.values() if score is not None)
    gaps = [high - low for low, high in pairwise(ranked)]
    return min(gaps, default=float("nan"))
