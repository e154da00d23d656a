"""What a run recorded, as those who draw and tell it want it: trials, who came of whom, and how it ended."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import attrs

from nas_surgery.errors import RunError
from nas_surgery.network import Network
from nas_surgery.network.text import one_line
from nas_surgery.reports.run import metric_name, summary_of
from nas_surgery.search.journal import read_records
from nas_surgery.strategies.jobs import PASSES, Cost
from nas_surgery.strategies.topology import skeleton

BASELINE = -1  # id of the job that is no part of the search
ROUNDING = 1e-6  # epochs
JOURNAL = "journal.jsonl"
BROKEN = (
    KeyError, TypeError, ValueError, AttributeError, IndexError, ArithmeticError, RecursionError
)  # fmt: skip


@attrs.frozen
class Point:
    """A network after an epoch: how far it and its ancestors were trained, and what was measured."""

    epoch: float
    accuracy: float | None
    loss: float | None
    training_loss: float | None = None


@attrs.frozen(eq=False)
class Trial:
    """A job and what became of it.

    began, ended: epochs that its network had trained. accuracy, loss: on the validation part. score: what
    decided; None where nothing was compared. selected: whether it went on; None if that was not asked.
    damage: predicted and measured change of the outputs, before any training. round: which decision
    asked for it. failure: why there is no network.
    """

    id: int
    parent: int | None
    operations: tuple[dict[str, Any], ...]
    purpose: str
    round: int
    began: float
    ended: float
    cost: Cost
    accuracy: float | None = None
    loss: float | None = None
    training_loss: float | None = None
    topology: dict[str, Any] | None = None
    parameters: int | None = None
    hidden: tuple[int, ...] = ()
    origins: tuple[int | None, ...] = ()
    exactness: tuple[str, ...] = ()
    damage: dict[str, Any] = attrs.Factory(dict)
    curve: tuple[Point, ...] = ()
    failure: str | None = None
    score: float | None = None
    selected: bool | None = None

    @cached_property
    def network(self) -> Network:
        """Without its weights; RunError of a trial that gave none."""
        if self.topology is None:
            raise RunError(f"job {self.id} left no network")
        with naming(f"job {self.id}", "a topology"):
            return skeleton(self.topology)

    @property
    def points(self) -> tuple[Point, ...]:
        """What was measured of it, in order: an epoch each, and how it ended."""
        if self.failure is not None:
            return self.curve
        last = Point(self.ended, self.accuracy, self.loss, self.training_loss)
        return (*(point for point in self.curve if point.epoch < self.ended - ROUNDING), last)


@attrs.frozen(eq=False)
class Record:
    """A run as far as it has come. header: what the journal begins with. lineage: the trials that led to
    the winner, or to the best network so far. summary: None before the run has a result."""

    header: dict[str, Any]
    trials: dict[int, Trial]
    baseline: Trial | None
    decisions: tuple[dict[str, Any], ...]
    lineage: tuple[Trial, ...]
    summary: dict[str, Any] | None
    directory: Path | None = None

    @property
    def spec(self) -> dict[str, Any]:
        """As the run resolved it."""
        spec: dict[str, Any] = self.header["spec"]
        return spec

    @property
    def winner(self) -> Trial | None:
        """The winner, or the best network so far."""
        return self.lineage[-1] if self.lineage else None

    @property
    def metric(self) -> str:
        """What stands under `accuracy`."""
        if self.summary is not None:
            return metric_name(self.summary)
        loss = self.spec["training"]["loss"]
        single = self.winner is not None and self.winner.network.output_shape[-1] == 1
        return "R²" if loss == "mean_squared_error" or single else "accuracy"

    @property
    def max_epochs(self) -> float:
        """Of the winner's training."""
        return float(self.spec["search"]["max_epochs"])

    @property
    def reference(self) -> float:
        """What training the winner alone for all epochs takes, in multiply-accumulates; 0 without one."""
        if self.winner is None:
            return 0.0
        samples = self.header["data"]["train"] * self.max_epochs
        return float(PASSES * self.winner.network.macs * samples)


class Run(Protocol):
    """What a Result has of a run."""

    @property
    def history(self) -> list[dict[str, Any]]: ...
    @property
    def summary(self) -> dict[str, Any]: ...
    @property
    def directory(self) -> Path | None: ...


def record_of(run: "Run | str | Path") -> Record:
    """The record of a Result, or of a run directory; RunError if there is none or it is damaged."""
    if isinstance(run, str | Path):
        return read_record(Path(run))
    return make_record(run.history, run.summary, run.directory)


def read_record(directory: Path) -> Record:
    """The record in a run directory, whether the run has ended or not; RunError says what is wrong."""
    journal = directory / JOURNAL
    if not journal.is_file():
        raise RunError(f"{directory}: holds no run; there is no {JOURNAL}")
    records = read_records(journal)
    with naming(journal, "the journal of a run"):
        return make_record(records, summary_of(directory), directory)


@contextmanager
def naming(where: object, what: str) -> Iterator[None]:
    """Values of unknown origin that are not what they should be end in a RunError that says where."""
    try:
        yield
    except BROKEN as error:
        reason = one_line(f"{type(error).__name__}: {error}")
        raise RunError(f"{where}: not {what}: {reason}") from None


def make_record(
    records: Sequence[Mapping[str, Any]],
    summary: dict[str, Any] | None = None,
    directory: Path | None = None,
) -> Record:
    """The record that a journal's lines and a summary make."""
    header = dict(records[0]) if records else {}
    if header.get("record") != "run":
        raise RunError("the journal does not begin with the header of a run")
    steps = -(-header["data"]["train"] // header["spec"]["training"]["batch_size"])
    decisions = tuple(dict(r) for r in records if r["record"] == "decision")
    trials: dict[int, Trial] = {}
    for number, job, outcome in _pairs(records):
        trials[job["id"]] = _trial(number, job, outcome, trials, steps)
    scores, selected = _scores(decisions), _selected(decisions)
    trials = {
        key: attrs.evolve(trial, score=scores.get(key), selected=selected.get(key))
        for key, trial in trials.items()
    }
    baseline = trials.pop(BASELINE, None)
    lineage = _lineage(_best(records, decisions, summary), trials)
    return Record(header, trials, baseline, decisions, lineage, summary, directory)


def _pairs(
    records: Iterable[Mapping[str, Any]],
) -> Iterable[tuple[int, Mapping[str, Any], Mapping[str, Any]]]:
    """(number of the decision, job, outcome) of every job that has ended."""
    number, jobs = -1, {}
    for record in records:
        if record["record"] == "decision":
            number += 1
        elif record["record"] == "job":
            jobs[record["id"]] = record
        elif record["record"] == "outcome":
            yield number, jobs[record["job"]], record


def _trial(
    number: int,
    job: Mapping[str, Any],
    outcome: Mapping[str, Any],
    trials: Mapping[int, Trial],
    steps: int,
) -> Trial:
    before = trials.get(job["parent"]) if job["parent"] is not None else None
    began = 0.0 if before is None else before.ended
    common = {
        "id": int(job["id"]),
        "parent": job["parent"],
        "operations": tuple(map(dict, job["operations"])),
        "purpose": str(job["purpose"]),
        "round": number,
        "began": began,
        "cost": Cost(*outcome["cost"]),
        "curve": tuple(map(_point, outcome.get("curve", ()))),
    }
    if "failure" in outcome:
        reason = (outcome["failure"] or {}).get("reason", "unknown")
        return Trial(**common, ended=began + job["steps"] / steps, failure=str(reason))
    return Trial(
        **common,
        ended=outcome["step"] / steps,
        accuracy=_number(outcome["accuracy"]),
        loss=_number(outcome["loss"]),
        training_loss=_number(outcome["training_loss"]),
        topology=dict(outcome["topology"]),
        parameters=int(outcome["parameters"]),
        hidden=tuple(map(int, outcome["hidden"])),
        origins=tuple(outcome["origins"]),
        exactness=tuple(map(str, outcome["exactness"])),
        damage=dict(outcome.get("damage") or {}),
    )


def _point(value: Mapping[str, Any]) -> Point:
    return Point(
        float(value["epoch"]),
        _number(value.get("validation_accuracy")),
        _number(value.get("validation_loss")),
        _number(value.get("training_loss")),
    )


def _number(value: Any) -> float | None:
    return None if value is None else float(value)


def _scores(decisions: Iterable[Mapping[str, Any]]) -> dict[int, float | None]:
    """What candidates were compared by: a score, or the loss plus the price of the size."""
    found: dict[int, float | None] = {}
    for decision in decisions:
        found |= {int(job): _number(value) for job, value in decision.get("scores", {}).items()}
        prices = decision.get("size_prices", {})
        for job, loss in decision.get("losses", {}).items():
            found[int(job)] = None if loss is None else float(loss) + float(prices.get(job) or 0)
    return found


def _selected(decisions: Iterable[Mapping[str, Any]]) -> dict[int, bool]:
    """Who went on, of those who were compared."""
    found: dict[int, bool] = {}
    for decision in decisions:
        if "selected" in decision:
            compared = {*decision.get("scores", ()), *decision.get("losses", ())}
            found |= {int(job): False for job in compared}
            found |= {int(job): True for job in decision["selected"]}
    return found


def _best(
    records: Iterable[Mapping[str, Any]],
    decisions: Sequence[Mapping[str, Any]],
    summary: Mapping[str, Any] | None,
) -> int | None:
    """The winner's job; of a run without a result the best so far, by its last decision that names one."""
    ends = [record["winner"] for record in records if record["record"] == "result"]
    ends = ends or list((summary or {}).get("parents") or [])
    ends = ends or [d["best"] for d in decisions if d.get("best") is not None]
    return int(ends[-1]) if ends else None


def _lineage(last: int | None, trials: Mapping[int, Trial]) -> tuple[Trial, ...]:
    found: list[Trial] = []
    while last is not None and last in trials and len(found) < len(trials):
        found.insert(0, trials[last])
        last = trials[last].parent
    return tuple(found)
