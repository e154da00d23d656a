"""The search of a run: from the header of its journal to the record of its result."""

from collections.abc import Sequence
from typing import Any

import attrs

from nas_surgery.failpoints import failpoint
from nas_surgery.runs.baseline import foresee_baseline, train_baseline
from nas_surgery.runs.directory import RunDirectory
from nas_surgery.runs.event_log import seconds_spent
from nas_surgery.runs.header import write_header
from nas_surgery.runs.preparation import Preparation
from nas_surgery.runs.unused import warnings_said
from nas_surgery.search.driver import Driver
from nas_surgery.search.endings import SearchResult
from nas_surgery.search.interrupts import InterruptedRunError
from nas_surgery.strategies.stopping import EARLY

ENDED = ("finished", "target_accuracy", *EARLY)


@attrs.frozen(eq=False)
class Found:
    """What a stretch of a run came to. seconds: of all stretches; warnings: of all of them too."""

    search: SearchResult
    baseline: dict[str, Any] | None
    seconds: float
    warnings: tuple[str, ...]

    @property
    def error(self) -> BaseException | None:
        """What is raised once everything is saved."""
        return self.search.error


def search(
    driver: Driver,
    made: Preparation,
    directory: RunDirectory | None,
    warnings: Sequence[str],
    allow_changes: bool,
) -> Found:
    """Search as prepared, and train the baseline that was asked for."""
    before = 0.0 if directory is None else seconds_spent(directory.events)
    said = [] if directory is None else warnings_said(directory.events)
    write_header(driver, made, directory, allow_changes)
    for text in warnings:
        driver.tell("warning", {"text": text})
    failpoint("run.header")
    foresee_baseline(driver, made)
    found, baseline = driver.search(), None
    if made.spec.run.baseline and found.stopped in ENDED:
        try:
            baseline = train_baseline(driver, made)
        except InterruptedRunError as signal:
            found = attrs.evolve(found, stopped=str(signal), error=signal)
    seconds = before + _seconds(driver, found)
    return Found(found, baseline, seconds, (*said, *warnings))


def _seconds(driver: Driver, found: SearchResult) -> float:
    """Of this stretch; none for one that only found out that the run has ended. Records that it has."""
    if found.stopped not in ENDED:
        return driver.seconds
    seconds = 0.0 if driver.journal.upcoming("result") else driver.seconds
    driver.journal.write("result", winner=found.winner.job, operations=found.operations)
    return seconds
