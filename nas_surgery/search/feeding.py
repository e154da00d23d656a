"""Training samples on their way to a backend: all at once, or piece by piece."""

from collections.abc import Callable, Iterator
from math import prod
from typing import Any

import attrs
import numpy as np

from nas_surgery.network import Array, Network
from nas_surgery.training.backend import Backend, train_watched
from nas_surgery.training.epochs import Watch
from nas_surgery.training.plans import Recipe, TrainingPlan
from nas_surgery.training.state import Samples, TrainState, apply_prefix

WHOLE = (
    2**31
)  # bytes of scaled inputs that are placed once and stay; more are placed as they are needed
PIECE = 2**24  # bytes of scaled inputs in a piece


class Feed:
    """What a run trains on. Samples that are drawn anew in each epoch, and those that would take more than
    `WHOLE`, stay as they came (bytes stay bytes), and are scaled in pieces of whole batches.

    place: puts samples where training wants them. start: the network whose frozen layers all others share. The batches are the same either way.
    """

    def __init__(
        self, place: Callable[[Samples], Any], recipe: Recipe, start: Network, samples: Samples
    ) -> None:
        self._place, self._recipe, self._start = place, recipe, start
        self._bytes = prod(start.shapes[start.prefix]) * start.dtype.itemsize
        self.whole = recipe.augment is None and len(samples) * self._bytes <= WHOLE
        self.samples = apply_prefix(start, samples) if self.whole else samples
        self._placed: Any = place(self.samples) if self.whole else None

    def with_more(self, samples: Samples) -> "Feed":
        """A feed of these samples and others, which are raw."""
        more = apply_prefix(self._start, samples) if self.whole else samples
        return Feed(self._place, self._recipe, self._start, together(self.samples, more))

    def train(
        self, backend: Backend, state: TrainState, plan: TrainingPlan, watch: Watch | None
    ) -> tuple[TrainState, Array]:
        """As `Backend.train`, on samples that the plan's order counts."""
        if self.whole:
            return train_watched(backend, state, self._placed, plan, watch)
        losses = [np.zeros(0)]
        for piece, samples in self._pieces(plan, state.step):
            state, found = train_watched(backend, state, self._place(samples), piece, watch)
            losses.append(found)
            if not np.isfinite(found).all():
                break
        return state, np.concatenate(losses)

    def _pieces(self, plan: TrainingPlan, step: int) -> Iterator[tuple[TrainingPlan, Samples]]:
        """Parts of a plan from a place in training on, each with the samples that it needs, in its order."""
        size, done = plan.batch_size, 0
        most = max(1, PIECE // (self._bytes * size)) * size
        first = step // self._recipe.steps_per_epoch(len(self.samples))
        for epoch, order in enumerate(plan.order, first):
            for begin in range(0, len(order), most):
                which = order[begin : begin + most]
                steps = -(-len(which) // size)
                rates = plan.rates[done : done + steps]
                done += steps
                yield (
                    attrs.evolve(plan, order=(np.arange(len(which)),), rates=rates),
                    self._taken(which, epoch),
                )

    def _taken(self, which: Array, epoch: int) -> Samples:
        held, augment = self.samples, self._recipe.augment
        x = held.x[which]
        if augment is not None:
            x = augment.draw(x, which, len(held), self._recipe.seed, epoch)
        return Samples(x, held.y[which], held.prefix)


def together(a: Samples, b: Samples) -> Samples:
    """The samples of both, which have passed the same layers."""
    return Samples(np.concatenate([a.x, b.x]), np.concatenate([a.y, b.y]), a.prefix)
