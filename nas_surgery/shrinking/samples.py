"""Calibration data, cut into what is fitted to and what judges, and how networks are judged."""

import attrs
import numpy as np

from nas_surgery.network import Array, Network
from nas_surgery.shrinking.weighing import outputs_of
from nas_surgery.surgery.refit import Run
from nas_surgery.training.evaluation import r_squared, sample_losses

HELD_BACK = 5  # every so many-th sample judges
JUDGES = 4096  # at most
FEW = 64  # samples, below which what comes out is a matter of luck
MEMORY = 2**31  # bytes that values of samples may take


@attrs.frozen(eq=False)
class Samples:
    """count: of all that were given. x, labels: to train on. fit: those of x that readers are fitted to. held, held_labels: to judge by;
    the same samples where there are too few."""

    count: int
    x: Array
    labels: Array | None
    fit: Array
    held: Array
    held_labels: Array | None

    @classmethod
    def of(cls, x: Array, y: Array | None, most: int) -> "Samples":
        """Every `HELD_BACK`-th sample judges; of the others at most `most` are fitted to."""
        judges = np.arange(len(x)) % HELD_BACK == 0
        others = ~judges
        if len(x) < 2 * HELD_BACK:
            judges[:] = others[:] = True
        count = min(most, JUDGES)
        labels = (None, None) if y is None else (y[others], y[judges][:count])
        return cls(len(x), x[others], labels[0], x[others][:most], x[judges][:count], labels[1])


@attrs.frozen(eq=False)
class Judge:
    """Compares networks with the original on the samples held back.

    wanted: the outputs of the original, (N, values). labels: (N,) or None.
    """

    held: Array
    wanted: Array
    labels: Array | None
    run: Run

    @classmethod
    def of(cls, original: Network, samples: Samples, run: Run) -> "Judge":
        return cls.compare(original, samples.held, samples.held_labels, run)

    @classmethod
    def compare(cls, original: Network, x: Array, y: Array | None, run: Run) -> "Judge":
        """With an original on samples (N, ...) and labels (N,), if any."""
        return cls(x, outputs_of(original, x, run), y, run)

    def verdict(self, network: Network) -> "Verdict":
        """Everything that there is to say of a network."""
        ours, wanted = outputs_of(network, self.held, self.run), self.wanted
        lost = float(np.mean((ours - wanted) ** 2))
        if wanted.shape[1] == 1:
            return Verdict(lost, r_squared(ours, wanted), None, None)
        before, after = wanted.argmax(axis=1), ours.argmax(axis=1)
        agreement = float(np.mean(before == after))
        if self.labels is None:
            return Verdict(lost, agreement, None, None)
        right = float(np.mean(before == self.labels)), float(np.mean(after == self.labels))
        loss = float(sample_losses(ours, self.labels, "cross_entropy").mean())
        return Verdict(lost, agreement, right, loss)


@attrs.frozen
class Verdict:
    """lost: mean square of how far outputs are from the original's. agreement: share of samples on which
    both decide alike, or R² where the output is a value; accuracy: before and after; loss: cross-entropy
    by the labels."""

    lost: float
    agreement: float
    accuracy: tuple[float, float] | None
    loss: float | None

    @property
    def drop(self) -> float:
        """Share of the samples by which the network is worse than the original."""
        return 1 - self.agreement if self.accuracy is None else self.accuracy[0] - self.accuracy[1]

    def better(self, other: "Verdict") -> bool:
        """Whether more is right, or as much and closer: to the labels, where there are some."""
        if self.drop != other.drop:
            return self.drop < other.drop
        if self.loss is not None and other.loss is not None:
            return self.loss < other.loss
        return self.lost < other.lost


def samples_that_fit(network: Network) -> int:
    """How many samples' values fit into `MEMORY`, those of two networks side by side."""
    last = {source: i for i, held in enumerate(network.sources) for source in held}
    live, peak = {-1}, 0.0
    for address in range(len(network.layers)):
        live.add(address)
        peak = max(peak, sum(float(np.prod(network.shapes[a + 1])) for a in live))
        live -= {s for s in network.sources[address] if last[s] == address}
    return max(16, int(MEMORY / (2 * peak * network.dtype.itemsize)))
