"""Shrinking a network to a budget: plan, cut, fit, and choose by samples that were held back."""

from collections.abc import Sequence

import attrs
import numpy as np

from nas_surgery.errors import OperationError
from nas_surgery.network import Array, Network
from nas_surgery.shrinking.budget import Budget
from nas_surgery.shrinking.latency import measured_latency
from nas_surgery.shrinking.plan import Plan, Told, outputs_of, planned, unheard
from nas_surgery.shrinking.running import LayerRunner
from nas_surgery.surgery.refit import Drift, Run

HELD_BACK = 5  # every so many-th sample judges
MEMORY = 2**31  # bytes that values of samples may take
MULTIPLES = (1, 4, 8, 16)  # of channels, that runtimes may like
DEARER, CHEAP = 1.5, 1e-3  # what they may cost: times the expected loss, and more than it
HALVINGS = 6  # of the range in which a budget is met that can only be measured


@attrs.frozen(eq=False)
class Shrunk:
    """What came out. before: the original. drifts: of each layer that was fitted. sizes: of each group by
    its first writer, before and after. agreement: share of the samples held back on which both decide
    alike, or R² where outputs are values; accuracy: before and after on those, where labels are known."""

    network: Network
    before: Network
    drifts: tuple[Drift, ...]
    sizes: dict[int, tuple[int, int]]
    agreement: float | None
    accuracy: tuple[float, float] | None


@attrs.frozen(eq=False)
class Samples:
    """Calibration data: to fit to, and to judge by."""

    fit: Array
    held: Array
    labels: Array | None

    @classmethod
    def of(cls, x: Array, y: Array | None, most: int) -> "Samples":
        """Every `HELD_BACK`-th sample judges; of the others at most so many are used."""
        judges = np.arange(len(x)) % HELD_BACK == 0
        if len(x) < 2 * HELD_BACK:
            judges[:] = True
            return cls(x, x, y)
        labels = None if y is None else y[judges]
        return cls(x[~judges][:most], x[judges], labels)


def shrink_network(
    network: Network,
    x: Array | None,
    y: Array | None,
    budget: Budget,
    *,
    only: Sequence[int] = (),
    exclude: Sequence[int] = (),
    seed: int = 0,
    told: Told = unheard,
) -> Shrunk:
    """The smallest loss for a budget; see `nas_surgery.shrink`.

    x: (N, *input_shape) or None, then weights alone decide; y: labels (N,) or None.
    """
    run = LayerRunner()
    samples = None if x is None else Samples.of(x, y, samples_that_fit(network))
    fit = None if samples is None else samples.fit
    plan = planned(network, fit, only=only, exclude=exclude, seed=seed, run=run, told=told)
    search = _Search(plan, samples, seed, run, told)
    if budget.kind in ("macs", "parameters"):
        original = getattr(plan.costs, budget.kind)(search.whole)
        found = search.within(budget.kind, budget.limit(original))
    elif budget.kind == "latency_ms":
        found = search.as_fast_as(budget.value)
    else:
        found = search.as_good_as(budget.value / 100)
    return search.result(network, found)


@attrs.frozen(eq=False)
class Candidate:
    """An allocation with the network that it leads to, and what that loses on the samples held back."""

    sizes: Array
    network: Network
    drifts: tuple[Drift, ...]
    lost: float


@attrs.frozen(eq=False)
class _Search:
    plan: Plan
    samples: Samples | None
    seed: int
    run: Run
    told: Told

    @property
    def whole(self) -> Array:
        return np.array([float(group.size) for group in self.plan.groups])

    def within(self, kind: str, limit: float) -> Candidate:
        """The better of the allocations that keep to a limit."""
        sizes = self.plan.sizes(kind, limit, self._multiple(kind, limit))
        return min((self.candidate(each) for each in sizes), key=lambda each: each.lost)

    def _multiple(self, kind: str, limit: float) -> int:
        """What widths are to be multiples of, so that the network is fast here and loses little by it.

        Runtimes have kernels for blocks of channels, and which ones is measured, not assumed.
        """
        offers = {m: sizes for m in MULTIPLES if (sizes := self.plan.sizes(kind, limit, m)[:1])}
        losses = {m: self.plan.expected(sizes) for m, (sizes,) in offers.items()}
        fair = [m for m in offers if losses[m] <= DEARER * losses[1] + CHEAP]
        times = {m: measured_latency(self.plan.cut(offers[m][0])[0]).milliseconds for m in fair}
        return min(times, key=lambda m: times[m])

    def as_fast_as(self, milliseconds: float) -> Candidate:
        """The network with most multiply-accumulates that is measured to take no longer."""
        original = self.plan.costs.macs(self.whole)
        low, high, best = 0.0, 1.0, None
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            try:
                limit = middle * original
                sizes = self.plan.sizes("macs", limit, self._multiple("macs", limit))[0]
            except OperationError:
                low = middle
                continue
            if measured_latency(self.plan.cut(sizes)[0]).milliseconds <= milliseconds:
                low, best = middle, sizes
            else:
                high = middle
        if best is None:
            raise OperationError(f"{milliseconds:g} ms cannot be reached on this machine")
        return self.candidate(best)

    def as_good_as(self, drop: float) -> Candidate:
        """The smallest network that decides worse on at most this share of the samples held back."""
        if self.samples is None:
            raise OperationError("max_drop needs data to measure the drop on")
        original = self.plan.costs.macs(self.whole)
        low, high, best = 0.0, 1.0, None
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            try:
                tried = self.within("macs", middle * original)
            except OperationError:
                low = middle
                continue
            if self.drop(tried.network) <= drop:
                high, best = middle, tried
            else:
                low = middle
        return best or self.candidate(self.whole)

    def candidate(self, sizes: Array) -> Candidate:
        """Cut and fitted, and what is lost."""
        if self.samples is None:
            return Candidate(sizes, self.plan.cut(sizes)[0], (), 0.0)
        network, drifts = self.plan.fitted(sizes, self.samples.fit, self.seed, self.run, self.told)
        wanted = self._held(self.plan.network)
        lost = float(np.mean((self._held(network) - wanted) ** 2))
        return Candidate(sizes, network, drifts, lost)

    def drop(self, network: Network) -> float:
        """Share of the samples held back by which the network is worse than the original."""
        agreement, accuracy = self._judged(network)
        return 1 - agreement if accuracy is None else accuracy[0] - accuracy[1]

    def result(self, before: Network, found: Candidate) -> Shrunk:
        agreement, accuracy = (None, None) if self.samples is None else self._judged(found.network)
        sizes = {
            group.writers[0]: (group.size, int(size))
            for group, size in zip(self.plan.groups, found.sizes, strict=True)
        }
        network = attrs.evolve(found.network, classes=before.classes)
        return Shrunk(network, before, found.drifts, sizes, agreement, accuracy)

    def _judged(self, network: Network) -> tuple[float, tuple[float, float] | None]:
        assert self.samples is not None
        theirs, ours = self._held(self.plan.network), self._held(network)
        if theirs.shape[1] == 1:
            return _r_squared(ours, theirs), None
        before, after = theirs.argmax(axis=1), ours.argmax(axis=1)
        labels = self.samples.labels
        right = None
        if labels is not None:
            right = float(np.mean(before == labels)), float(np.mean(after == labels))
        return float(np.mean(before == after)), right

    def _held(self, network: Network) -> Array:
        assert self.samples is not None
        return outputs_of(network, self.samples.held, self.run)


def samples_that_fit(network: Network) -> int:
    """How many samples' values fit into `MEMORY`, those of two networks side by side."""
    last = {source: i for i, held in enumerate(network.sources) for source in held}
    live, peak = {-1}, 0.0
    for address in range(len(network.layers)):
        live.add(address)
        peak = max(peak, sum(float(np.prod(network.shapes[a + 1])) for a in live))
        live -= {s for s in network.sources[address] if last[s] == address}
    return max(16, int(MEMORY / (2 * peak * network.dtype.itemsize)))


def _r_squared(values: Array, targets: Array) -> float:
    spread = float(np.sum((targets - targets.mean(axis=0)) ** 2))
    return 1 - float(np.sum((values - targets) ** 2)) / spread if spread else 0.0
