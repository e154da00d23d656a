"""Damage: what operations expected to lose beside what they did, before any retraining."""

from collections.abc import Sequence
from typing import Any

import attrs
import numpy as np

from nas_surgery.network import Array, Network
from nas_surgery.strategies.jobs import Cost
from nas_surgery.training.backend import Backend
from nas_surgery.training.evaluation import evaluate
from nas_surgery.training.state import Samples, apply_prefix

SAMPLES = 512


@attrs.frozen
class Damage:
    """The effect of a job's operations on its network.

    predicted: change of the outputs, RMS ÷ RMS of the outputs, as the operations expected it; None
    where one of them has no estimate. outputs: the same, measured. loss, accuracy: after minus before.
    """

    predicted: float | None
    outputs: float
    loss: float
    accuracy: float

    def to_json(self) -> dict[str, Any]:
        return attrs.asdict(self)


class DamageMeter:
    """Measures on training samples that operations do not see, where there are enough.

    Operations fit themselves to the first samples of the training part; these are the last.
    """

    def __init__(self, backend: Backend, device: str, start: Network, train: Samples, loss: str):
        held = Samples(train.x[-SAMPLES:], train.y[-SAMPLES:], train.prefix)
        self._backend, self._loss = backend, loss
        self._samples, self._labels = backend.place(apply_prefix(start, held), device), held.y
        self._last: tuple[Network, Array] | None = None

    def measure(self, before: Network, after: Network, predicted: float | None) -> Damage:
        """Compare the outputs of two networks."""
        logits = [self._parents_logits(before), self._logits(after)]
        old, new = (evaluate(values, self._labels, self._loss) for values in logits)
        loss, accuracy = new.loss - old.loss, new.accuracy - old.accuracy
        return Damage(predicted, relative_change(*logits), loss, accuracy)

    def cost(self, before: Network, after: Network) -> Cost:
        """Of one measurement, as if each candidate's parent were asked again, so that costs are the same
        on every executor."""
        count = len(self._labels)
        return Cost(forward_samples=2 * count, forward_macs=(before.macs + after.macs) * count)

    def _parents_logits(self, network: Network) -> Array:
        """Of a network that several candidates in a row descend from: computed once."""
        if self._last is None or self._last[0] is not network:
            self._last = network, self._logits(network)
        return self._last[1]

    def _logits(self, network: Network) -> Array:
        return self._backend.predict(network, self._samples).astype(np.float64)


def relative_change(before: Array, after: Array) -> float:
    """RMS of the difference ÷ RMS of `before`."""
    scale = float(np.sqrt(np.mean(before**2)))
    change = float(np.sqrt(np.mean((after - before) ** 2)))
    return change / scale if scale else change


def combined(predictions: Sequence[float | None]) -> float | None:
    """The prediction for several operations in a row, as if their changes were independent."""
    known = [value for value in predictions if value is not None]
    if len(known) < len(predictions):
        return None
    return float(np.sqrt(sum(value**2 for value in known)))
