"""How jobs and outcomes travel between processes and machines: as records and bytes, never as objects.

The classes of a single-file plugin cannot be pickled, and weights have bytes of their own.
"""

from collections.abc import Iterable
from typing import Any

import attrs

from nas_surgery.executors.executor import Bench, Listener, States
from nas_surgery.strategies.jobs import Job, Operations, Outcome
from nas_surgery.training.state_bytes import state_from_bytes, state_to_bytes

Found = tuple[dict[str, Any], dict[str, float], bytes | None]


def carry_out(bench: Bench, record: dict[str, Any], state: bytes | None) -> Found:
    """In a worker: the outcome's record, its seconds and its weights. state: the parent's, None for the
    start network."""
    job = Job.from_json(record, bench.operations)
    outcome = bench.perform(job, None if state is None else state_from_bytes(state))
    weights = None if outcome.state is None else state_to_bytes(outcome.state)
    return outcome.to_json(), outcome.seconds, weights


def arrived(found: Found, operations: Operations) -> Outcome:
    """In the driver: the outcome that a worker found."""
    record, seconds, weights = found
    state = None if weights is None else state_from_bytes(weights)
    return attrs.evolve(Outcome.from_json(record, operations), state=state, seconds=seconds)


def tell_curve(listener: Listener, job: Job, outcome: Outcome) -> None:
    """Tell of the epochs of a job that was carried out where nobody listens."""
    for point in outcome.curve:
        listener.epoch(job, point, outcome.parameters)


def longest_first(jobs: Iterable[Job], states: States) -> list[Job]:
    """So that no worker is left with a long job at the end of a round."""
    return sorted(jobs, key=lambda job: -_work(job, states))


def _work(job: Job, states: States) -> int:
    """About how long a job takes, in comparison."""
    parent = states.get(job.parent)
    return job.steps * (1 if parent is None else parent.network.macs)
