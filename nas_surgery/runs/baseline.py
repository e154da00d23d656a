"""The baseline: the start topology, trained like the winner but without surgery."""

from typing import Any

from nas_surgery.runs import accounts
from nas_surgery.runs.preparation import Preparation
from nas_surgery.search.driver import Driver
from nas_surgery.strategies.jobs import Job

BASELINE = -1  # id of its job, which is no part of the search


def foresee_baseline(driver: Driver, made: Preparation) -> None:
    """Let it train beside the search where it takes no time from that: on a worker of its own, and with
    no limit on seconds."""
    spec = made.spec
    if spec.run.baseline and spec.run.workers > 1 and spec.search.max_seconds is None:
        driver.foresee(_job(made))


def train_baseline(driver: Driver, made: Preparation) -> dict[str, Any]:
    """Its figures, or why there are none."""
    outcome = driver.beside(_job(made))
    if outcome.failed:
        reason = outcome.failure.reason if outcome.failure else ""
        return {"accuracy": {"validation": None, "test": None}, "failure": reason}
    return accounts.figures(outcome, driver.network(BASELINE), made)


def _job(made: Preparation) -> Job:
    steps = made.max_epochs * made.steps_per_epoch
    return Job(BASELINE, None, (), steps, "baseline")
