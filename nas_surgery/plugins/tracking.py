"""What plugins that pass runs on to a tracker share: which run an event is of, and a figure for each epoch."""

from collections.abc import Callable, Iterator, Mapping
from math import isfinite
from threading import get_ident
from typing import Any

from nas_surgery.plugins.events import Event

NAMES = {
    "training_loss": "training_loss",
    "validation_loss": "validation_loss",
    "validation_accuracy": "validation_accuracy",
    "loss": "validation_loss",  # as outcomes call it
    "accuracy": "validation_accuracy",
    "parameters": "parameters",
}
NEARLY = 1e-9


class Tracker:
    """One run as a tracker sees it. A plugin derives from it, and overrides what it passes on.

    data: of the run's "run_started".
    """

    def __init__(self, data: Mapping[str, Any]) -> None:
        self._batches: int = data["steps_per_epoch"]
        self._purposes: dict[int, str] = {}
        self._lines: dict[str, int] = {}

    def figures(self, line: str, epoch: int, values: Mapping[str, float]) -> None:
        """Figures of a line ("search", "baseline" or, when all is known, "winner"), once an epoch.

        values: finite ones of training_loss, validation_loss, validation_accuracy (or R²) and parameters.
        """

    def finished(self, result: Any) -> None:
        """The run has a Result; its figures were all told."""

    def failed(self, reason: str) -> None:
        """The run ended without one."""

    def tell(self, event: Event) -> None:
        """Take an event of the run."""
        if event.kind == "job_started":
            self._purposes[event.data["id"]] = event.data["purpose"]
        elif event.kind in ("epoch", "job_finished") and "failure" not in event.data:
            self._add(self._line(event.data["job"]), event.data["epoch"], event.data)
        elif event.kind == "run_finished":
            for record in winners_line(event.result, self._batches):
                self._add("winner", record["epoch"], record)
            self.finished(event.result)
        elif event.kind == "run_failed":
            self.failed(event.data["reason"])

    def _line(self, job: int | None) -> str | None:
        """Whose figures they are; None for candidates, of which several stand at the same epoch."""
        purpose = "baseline" if job is None else self._purposes.get(job, "baseline")
        return {"baseline": "baseline", "candidate": None}.get(purpose, "search")

    def _add(self, line: str | None, epoch: float, data: Mapping[str, Any]) -> None:
        """Pass on what is the first of its epoch. Jobs may be shorter than one, and several may be as far."""
        whole = int(epoch + NEARLY)
        if line is None or whole <= self._lines.get(line, 0):
            return
        self._lines[line] = whole
        found = {NAMES[key]: value for key, value in data.items() if key in NAMES}
        known = {key: value for key, value in found.items() if value is not None}
        self.figures(line, whole, {key: value for key, value in known.items() if isfinite(value)})


class Trackers:
    """A tracker for each run that goes on; what `nas_surgery_on_event` of a plugin calls.

    make: a Tracker from the data of a "run_started", or None for a run that is left alone. A tracker that
    raises is told nothing more, so that its run hears of it once.
    """

    def __init__(self, make: Callable[[dict[str, Any]], Tracker | None]) -> None:
        self._make = make
        self._running: dict[int, Tracker] = {}

    def __call__(self, event: Event) -> None:
        """Take any event: those of one run come in one thread."""
        thread = get_ident()
        if event.kind == "run_started":
            self._running.pop(thread, None)
            tracker = self._make(event.data)
            if tracker is not None:
                self._running[thread] = tracker
        elif thread in self._running:
            tracker = self._running.pop(thread)
            tracker.tell(event)
            if event.kind not in ("run_finished", "run_failed"):
                self._running[thread] = tracker


def winners_line(result: Any, batches: int) -> Iterator[dict[str, Any]]:
    """Figures of the winner and its ancestors in order, each with its `epoch`. batches: in an epoch."""
    outcomes = {record["job"]: record for record in result.history if record["record"] == "outcome"}
    for job in result.summary["parents"]:
        outcome = outcomes[job]
        for point in outcome.get("curve", ()):
            yield {**point, "parameters": outcome["parameters"]}
        yield {**outcome, "epoch": outcome["step"] / batches}
