"""What runs on the cluster: one plain task for each job. A worker keeps its bench from one to the next."""

from collections.abc import Iterator
from typing import Any

import ray

from nas_surgery.executors import Bench
from nas_surgery.executors.travel import carry_out
from nas_surgery_ray.parcels import Parcel, Shared, packed, unpacked

BEGUN = "begun"

_kept: tuple[str, Bench] | None = None


def perform(
    run: str, plan: list[Any], record: dict[str, Any], parent: Parcel | None, shared: Shared | None
) -> Iterator[Any]:
    """Say BEGUN, and then what was found: record, seconds and weights as bytes or the path of a file.

    run: names the run, and so the bench. plan: of it, by reference. parent: the parent's state.
    """
    bench = _bench(run, plan)
    state = None if parent is None else unpacked(parent)
    yield BEGUN
    found, seconds, weights = carry_out(bench, record, state)
    yield found, seconds, None if weights is None else packed(weights, shared)


def _bench(run: str, plan: list[Any]) -> Bench:
    """The bench of a run, built when its first job comes; that of another run goes."""
    global _kept
    if _kept is None or _kept[0] != run:
        _kept = None
        _kept = run, ray.get(plan[0]).bench()
    return _kept[1]
