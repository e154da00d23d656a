"""How a search ends: which network is its result, what made it, and what is told of it."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import attrs

from nas_surgery.errors import SearchFailedError
from nas_surgery.network import Network
from nas_surgery.operations import Identity
from nas_surgery.search.workbench import DIVERGED
from nas_surgery.strategies.jobs import Cost, Job, Outcome, Round
from nas_surgery.strategies.recommender import Limits


@attrs.frozen(eq=False)
class SearchResult:
    """The winner's outcome and network, its operations and ancestors, the front with its networks,
    and what everything cost. stopped: "finished", "target_accuracy", "oscillation" or "patience" where the
    strategy ended early, "max_seconds", "observer", "failures" for a search that could not go on (reason: why), or the name of a signal. error: what is
    raised once everything is saved."""

    winner: Outcome
    network: Network
    operations: tuple[dict[str, Any], ...]
    lineage: tuple[int, ...]
    front: tuple[tuple[Outcome, Network], ...]
    cost: Cost
    stopped: str
    error: BaseException | None = None
    reason: str | None = None


def best_so_far(
    current: Round,
    outcomes: Mapping[int, Outcome],
    others: Iterable[Outcome] = (),
    there: Callable[[int], bool] = lambda job: True,
) -> int | None:
    """The best network when a run stops within a round, if there is one: the strategy's, or one that the
    round only trained on. What surgery made of it in this round nobody has judged yet.

    others: what is taken if there is none of these. there: whether the weights of a job are.
    """
    known = [current.best, *(job.id for job in current.jobs if not job.operations)]
    first = [outcomes[job] for job in known if job is not None and job in outcomes]
    for found in (first, others):
        valid = [outcome for outcome in found if not outcome.failed and there(outcome.job)]
        if valid:
            return min(valid, key=lambda o: (-o.accuracy, o.parameters, o.job)).job
    return None


def lineage_of(winner: int, jobs: Mapping[int, Job]) -> tuple[int, ...]:
    """The jobs that led to a network, the first one first."""
    lineage: list[int] = []
    place: int | None = winner
    while place is not None:
        lineage.insert(0, place)
        place = jobs[place].parent
    return tuple(lineage)


def edits_of(lineage: tuple[int, ...], jobs: Mapping[int, Job]) -> tuple[dict[str, Any], ...]:
    """What surgery was done on the way, as JSON values."""
    operations = [operation for job in lineage for operation in jobs[job].operations]
    return tuple(each.to_json() for each in operations if each.name != Identity.name)


def check_winner(winner: Outcome, limits: Limits) -> None:
    """SearchFailedError if there is no valid network, or none within the limits."""
    if winner.failed:
        reason = reason_of(winner)
        advice = "; a lower training.learning_rate may help" if DIVERGED in reason else ""
        raise SearchFailedError(f"no valid network came out of the run: {reason}{advice}")
    for key, size, limit in limits.excess(winner.network):
        raise SearchFailedError(
            f"search.{key}: no network within {limit:,} came out, the best has {size:,}"
        )


def broke_off(outcome: Outcome) -> bool:
    """Whether a job failed by an error while it trained, which is neither divergence nor a plugin's fault."""
    failure = outcome.failure
    return failure is not None and failure.traceback is not None and failure.plugin is None


def reason_of(outcome: Outcome) -> str:
    """Why a job failed."""
    return outcome.failure.reason if outcome.failure else "no outcome"
