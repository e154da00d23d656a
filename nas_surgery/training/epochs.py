"""Epochs within a stretch of training: who watches them, and what is recorded of each."""

from collections.abc import Callable, Mapping
from math import nan
from typing import Any, Self

import attrs
import numpy as np

from nas_surgery.network import Array
from nas_surgery.training.plans import TrainingPlan

Look = Callable[[Any], Array]
"""Logits (N, outputs) of placed samples, by the weights as they are in that moment."""

Watch = Callable[[Array, Look], None]
"""Told after each epoch of a plan, or part of one: the mean loss of each of its batches, and a look."""


@attrs.frozen
class Point:
    """How a network stood after an epoch.

    epoch: epochs that it and its ancestors have trained. training_loss: mean over the epoch's batches,
    before their updates. validation_loss, validation_accuracy (or R²): NaN where nobody looked.
    """

    epoch: float
    training_loss: float
    validation_loss: float = nan
    validation_accuracy: float = nan

    def to_json(self) -> dict[str, float]:
        return attrs.asdict(self)

    @classmethod
    def from_json(cls, record: Mapping[str, float | None]) -> Self:
        """The inverse of `to_json`, also where NaN has become None."""
        return cls(**{name: nan if value is None else value for name, value in record.items()})


def by_epochs(
    plan: TrainingPlan,
    train: Callable[[Array, int], Array],
    look: Look,
    watch: Watch | None,
) -> Array:
    """Train a plan epoch by epoch, until a loss is not finite; the losses of all batches, (steps,).

    train: of a part of the plan's order, which begins with the plan's step of that number, its losses.
    """
    losses, done = [np.zeros(0)], 0
    for part in plan.order:
        losses.append(train(part, done))
        done += len(losses[-1])
        if not np.isfinite(losses[-1]).all():
            break
        if watch is not None:
            watch(losses[-1], look)
    return np.concatenate(losses)
