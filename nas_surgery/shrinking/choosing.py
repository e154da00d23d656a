"""Which allocation of channels keeps to a budget and loses least: cut, fitted, and judged by samples held back."""

import hashlib
from collections.abc import Callable
from typing import Any

import attrs
import numpy as np

from nas_surgery.errors import OperationError
from nas_surgery.network import Array, Network
from nas_surgery.shrinking.latency import measured_latency
from nas_surgery.shrinking.plan import Plan
from nas_surgery.shrinking.samples import Judge, Verdict
from nas_surgery.shrinking.stages import Stages
from nas_surgery.shrinking.telling import Told
from nas_surgery.surgery.refit import Drift, Run

MULTIPLES = (1, 4, 8, 16)  # of channels, that runtimes may like
DEARER, CHEAP = 1.5, 1e-3  # what they may cost: times the expected loss, and more than it
WORTH = 1_000_000  # multiply-accumulates of networks for which that is asked
FASTER = 0.95  # times as long, at most, is worth losing something for
HALVINGS = 6  # of the range in which a budget is met that can only be measured


@attrs.frozen(eq=False)
class Candidate:
    """An allocation with the network that it leads to; verdict: None without data."""

    sizes: Array
    network: Network
    drifts: tuple[Drift, ...]
    verdict: Verdict | None


@attrs.frozen(eq=False)
class Search:
    """fit: samples to fit to, or None. stages: what is known already. trail: what came before, in a word."""

    plan: Plan
    fit: Array | None
    judge: Judge | None
    seed: int
    run: Run
    told: Told
    stages: Stages
    trail: str = ""

    @property
    def whole(self) -> Array:
        return np.array([float(group.size) for group in self.plan.groups])

    def within(self, kind: str, limit: float) -> Candidate:
        """The better of the allocations that keep to a limit of "macs" or "parameters"."""
        tried = [
            self.candidate(sizes)
            for sizes in self.plan.sizes(kind, limit, self._multiple(kind, limit))
        ]
        return min(tried, key=lambda each: each.verdict.lost if each.verdict else 0.0)

    def _multiple(self, kind: str, limit: float) -> int:
        """What widths are to be multiples of, so that the network is fast here and loses little by it.

        Runtimes have kernels for blocks of channels, and which ones is measured, not assumed. Small networks
        gain nothing by it.
        """
        if self.plan.network.macs < WORTH:
            return 1
        offers = {m: sizes for m in MULTIPLES if (sizes := self.plan.sizes(kind, limit, m)[:1])}
        losses = {m: self.plan.expected(sizes) for m, (sizes,) in offers.items()}
        fair = [m for m in offers if losses[m] <= DEARER * losses[1] + CHEAP]
        times = {m: self.milliseconds(offers[m][0]) for m in fair}
        best = min(times, key=lambda m: times[m])
        return best if times[best] < FASTER * times[1] else 1

    def milliseconds(self, sizes: Array) -> float:
        """Measured latency of an allocation."""
        measured: float = self.stages.value(
            self.name("latency", sizes),
            lambda: measured_latency(self.plan.cut(sizes)[0]).milliseconds,
        )
        return measured

    def as_fast_as(self, milliseconds: float) -> Candidate:
        """The network with most multiply-accumulates that is measured to take no longer."""
        if self.milliseconds(self.whole) <= milliseconds:
            return self.candidate(self.whole)
        fastest = [self.milliseconds(self.plan.smallest())]

        def fits(share: float) -> Array | None:
            limit = share * self.plan.costs.macs(self.whole)
            sizes = self.plan.sizes("macs", limit, self._multiple("macs", limit))[0]
            fastest.append(self.milliseconds(sizes))
            return sizes if fastest[-1] <= milliseconds else None

        best = _bisected(fits, largest=True)
        if best is None:
            raise OperationError(
                f"{milliseconds:g} ms cannot be reached on this machine; the fastest tried takes"
                f" {min(fastest):.3g} ms"
            )
        return self.candidate(best)

    def as_good_as(self, drop: float) -> Candidate:
        """The smallest network that decides worse on at most this share of the samples held back."""
        if self.judge is None:
            raise OperationError("max_drop: needs data, to measure the drop on")

        def fits(share: float) -> Candidate | None:
            tried = self.within("macs", share * self.plan.costs.macs(self.whole))
            assert tried.verdict is not None
            return tried if tried.verdict.drop <= drop else None

        return _bisected(fits, largest=False) or self.candidate(self.whole)

    def candidate(self, sizes: Array) -> Candidate:
        """Cut and fitted, and what is lost."""
        fit, judge = self.fit, self.judge
        if fit is None or judge is None:
            return Candidate(sizes, self.plan.cut(sizes)[0], (), None)

        def make() -> tuple[Network, Any]:
            network, drifts = self.plan.fitted(sizes, fit, self.seed, self.run, self.told)
            return network, [attrs.astuple(drift) for drift in drifts]

        network, drifts = self.stages.network(self.name("fitted", sizes), make)
        return Candidate(
            sizes, network, tuple(Drift(*each) for each in drifts), judge.verdict(network)
        )

    def name(self, stage: str, sizes: Array) -> str:
        """A stage's, which tells everything that it depends on."""
        text = f"{self.trail} {' '.join(str(int(size)) for size in sizes)}"
        return f"{stage} {hashlib.sha256(text.encode()).hexdigest()[:16]}"


def _bisected(fits: Callable[[float], Any], largest: bool) -> Any:
    """What `fits` gave at the largest, or smallest, share in (0, 1) at which it gave anything."""
    low, high, best = 0.0, 1.0, None
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        try:
            found = fits(middle)
        except OperationError:  # below the smallest network that there is
            low = middle
            continue
        best = best if found is None else found
        low, high = (middle, high) if (found is not None) == largest else (low, middle)
    return best
