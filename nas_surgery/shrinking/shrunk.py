"""Shrinking a network to a budget: plan, cut, fit, perhaps in several steps, perhaps with training behind."""

from collections.abc import Sequence

import attrs

from nas_surgery.errors import ArgumentError
from nas_surgery.network import Array, Network
from nas_surgery.shrinking.budget import Budget
from nas_surgery.shrinking.choosing import Candidate, Search
from nas_surgery.shrinking.plan import planned
from nas_surgery.shrinking.retraining import Retraining, retrained
from nas_surgery.shrinking.running import LayerRunner
from nas_surgery.shrinking.samples import Judge, Samples, Verdict, samples_that_fit
from nas_surgery.shrinking.stages import Stages
from nas_surgery.shrinking.telling import Told, unheard
from nas_surgery.surgery.refit import Drift, Run


@attrs.frozen(eq=False)
class Shrunk:
    """What came out. before: the original. drifts: of each layer that was fitted. sizes: of each group by
    its first writer, before and after. verdict: on the samples held back, `judged` of them, and `refitted`
    before it was retrained; None without data or retraining."""

    network: Network
    before: Network
    drifts: tuple[Drift, ...]
    sizes: dict[int, tuple[int, int]]
    judged: int
    verdict: Verdict | None
    refitted: Verdict | None = None


@attrs.frozen(eq=False)
class Wishes:
    """only, exclude: addresses of layers whose channels may, or must not, go. steps: in so many the budget
    is reached. retraining: behind each of them, or None."""

    only: Sequence[int] = ()
    exclude: Sequence[int] = ()
    seed: int = 0
    steps: int = 1
    retraining: Retraining | None = None

    def __attrs_post_init__(self) -> None:
        if isinstance(self.steps, bool) or not isinstance(self.steps, int) or self.steps < 1:
            raise ArgumentError(f"steps: a whole number of 1 or more is needed, got {self.steps!r}")


@attrs.frozen(eq=False)
class Shrinking:
    """A network that is to be shrunk. samples, judge: None without data."""

    network: Network
    samples: Samples | None
    judge: Judge | None
    wishes: Wishes
    run: Run
    told: Told
    stages: Stages

    @classmethod
    def of(
        cls,
        network: Network,
        x: Array | None,
        y: Array | None,
        wishes: Wishes,
        told: Told = unheard,
        stages: Stages | None = None,
    ) -> "Shrinking":
        """x: samples (N, *input_shape) or None, then weights alone decide; y: labels (N,) or None."""
        if x is None and wishes.retraining is not None:
            raise ArgumentError("retrain: needs data to train on")
        run = LayerRunner()
        samples = None if x is None else Samples.of(x, y, samples_that_fit(network))
        judge = None if samples is None else Judge.of(network, samples, run)
        if wishes.retraining is not None:
            wishes.retraining.backend_for((network,))  # or say so before the work
        held = Stages.of(None, {}) if stages is None else stages
        return cls(network, samples, judge, wishes, run, told, held)

    def to(self, budget: Budget) -> Shrunk:
        """The smallest loss for a budget; OperationError where it cannot be met."""
        if budget.kind == "max_drop" and self.wishes.steps > 1:
            raise ArgumentError("steps: go with macs, parameters or latency_ms, not with max_drop")
        network, drifts = self.network, tuple[Drift, ...]()
        sizes: dict[int, tuple[int, int]] = {}
        verdict = refitted = None
        trail = ""
        for left in range(self.wishes.steps, 0, -1):
            search = self.search(network, trail)
            found = _found(search, self._part(budget, search, left))
            trail = search.name("from", found.sizes)
            network, drifts, verdict = found.network, found.drifts, found.verdict
            sizes = _joined(sizes, search, found)
            if self.wishes.retraining is not None:
                refitted, network = verdict, self.retrained(network, trail)
                assert self.judge is not None
                verdict = self.judge.verdict(network)
        network = attrs.evolve(network, classes=self.network.classes)
        judged = 0 if self.samples is None else len(self.samples.held)
        return Shrunk(network, self.network, drifts, sizes, judged, verdict, refitted)

    def search(self, network: Network | None = None, trail: str = "") -> Search:
        """For allocations of the network, or of what became of it."""
        network = self.network if network is None else network
        wishes, fit = self.wishes, None if self.samples is None else self.samples.fit
        plan = planned(
            network,
            fit,
            only=wishes.only,
            exclude=wishes.exclude,
            seed=wishes.seed,
            run=self.run,
            told=self.told,
            remembered=lambda stage, make: self.stages.value(f"{stage} {trail}", make),
        )
        return Search(plan, fit, self.judge, wishes.seed, self.run, self.told, self.stages, trail)

    def _part(self, budget: Budget, search: Search, left: int) -> Budget:
        """What the network may cost behind the next of so many steps, which take the same share each."""
        if budget.kind == "max_drop":
            return budget
        now = _cost(search, budget.kind)
        limit = budget.limit(getattr(self.network, _COUNTS.get(budget.kind, ""), now))
        value = limit if left == 1 else now * (limit / now) ** (1 / left)
        return Budget(budget.kind, value, share=False)

    def retrained(self, network: Network, trail: str = "") -> Network:
        """A smaller network, trained as wished."""
        samples, judge, retraining = self.samples, self.judge, self.wishes.retraining
        assert retraining is not None
        assert samples is not None
        assert judge is not None
        made, _ = self.stages.network(
            f"retrained {trail}",
            lambda: (
                retrained(
                    network,
                    self.network,
                    samples,
                    judge,
                    retraining,
                    self.wishes.seed,
                    self.told,
                ),
                None,
            ),
        )
        return made


_COUNTS = {"macs": "macs", "parameters": "parameter_count"}


def _cost(search: Search, kind: str) -> float:
    whole = search.whole
    if kind == "latency_ms":
        return search.milliseconds(whole)
    return float(getattr(search.plan.costs, kind)(whole))


def _found(search: Search, budget: Budget) -> Candidate:
    if budget.kind == "latency_ms":
        return search.as_fast_as(budget.value)
    if budget.kind == "max_drop":
        return search.as_good_as(budget.value / 100)
    return search.within(budget.kind, budget.value)


def _joined(
    before: dict[int, tuple[int, int]], search: Search, found: Candidate
) -> dict[int, tuple[int, int]]:
    """Sizes of groups by their first writer, at the start of all steps and now."""
    now = {
        group.writers[0]: (group.size, int(size))
        for group, size in zip(search.plan.groups, found.sizes, strict=True)
    }
    return before | {a: (before.get(a, (old, new))[0], new) for a, (old, new) in now.items()}
