"""The first record of a run: what its results depend on, written down or compared."""

import shutil
from typing import Any

from nas_surgery.errors import RunError
from nas_surgery.formats.atomic import unused
from nas_surgery.runs import accounts
from nas_surgery.runs.directory import RunDirectory
from nas_surgery.runs.preparation import Preparation
from nas_surgery.search.driver import Driver
from nas_surgery.search.journal import Journal, plain
from nas_surgery.training.state import TrainState
from nas_surgery.training.state_bytes import digest, state_to_bytes


def write_header(
    driver: Driver, made: Preparation, directory: RunDirectory | None, allow_changes: bool
) -> None:
    """Write down what the run depends on, or see that it is as it was.

    Raises RunError for changes that nobody allowed, and for another start network.
    """
    now = plain(accounts.header(made, digest(state_to_bytes(TrainState(made.network)))))
    path = None if directory is None else str(directory.path)
    told = {"directory": path, "steps_per_epoch": made.steps_per_epoch}
    driver.tell("run_started", {**now, **told})
    for reason in made.refused:
        driver.tell("plugin_failed", {"reason": reason})
    changes = _changes(driver.journal, now)
    _check_changes(changes, allow_changes)
    if changes:
        assert directory is not None, "only a run on disk is resumed"
        _set_aside_results(directory)
        driver.journal.begin_again(now, changes)
    else:
        _write_again(driver.journal, now)
    driver.changed = any(record["record"] == "changes" for record in driver.journal.records)


def _changes(journal: Journal, now: dict[str, Any]) -> list[str]:
    before = journal.upcoming("run") or {"record": "run", **now}
    was = {key: value for key, value in before.items() if key != "record"}
    return accounts.differences(was, now)


def _check_changes(changes: list[str], allowed: bool) -> None:
    said = "; ".join(changes)
    if any(change.startswith("spec.network.") for change in changes):
        raise RunError(f"the start network was made when the run began: {said}; begin a new run")
    if changes and not allowed:
        raise RunError(
            f"the run was begun differently: {said}; --allow-changes goes on all the same"
        )


def _write_again(journal: Journal, now: dict[str, Any]) -> None:
    """The header, and the changes that were allowed before, if there were any."""
    journal.write("run", **now)
    known = journal.upcoming("changes")
    if known is not None:
        journal.write("changes", changes=known["changes"])


def _set_aside_results(directory: RunDirectory) -> None:
    """Keep what a run has found before it goes on changed."""
    for file in (directory.winner, directory.summary):
        if file.is_file():
            shutil.copyfile(file, unused(file, "before-changes"))
