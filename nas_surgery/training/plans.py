"""Plans: which batches in which order, at which learning rate. The core decides all of it, for every backend."""

from collections.abc import Iterator
from math import cos, pi

import attrs
import numpy as np

from nas_surgery.network import Array, keyed_generator
from nas_surgery.training.augmentation import Augmentation
from nas_surgery.training.evaluation import LOSSES
from nas_surgery.training.optimizers import SGD, Optimizer
from nas_surgery.validators import one_of

STATE_AT_SURGERY = ("reset", "carry")
WEIGHTS_AT_SURGERY = ("carry", "redraw")


@attrs.frozen(eq=False)
class TrainingPlan:
    """A stretch of training.

    order: indices of samples, one array for each epoch or part of one, cut into consecutive batches
    of `batch_size` (the last of an epoch may be smaller). rates: learning rate of each step, (steps,).
    clip_norm: largest global norm of the gradient, or None. seed: keys the dropout masks.
    """

    order: tuple[Array, ...]
    rates: Array
    batch_size: int = 16
    optimizer: Optimizer = attrs.field(factory=SGD)
    loss: str = attrs.field(default="cross_entropy", validator=one_of(*LOSSES))
    clip_norm: float | None = None
    seed: int = 0

    @property
    def steps(self) -> int:
        return sum(-(-len(part) // self.batch_size) for part in self.order)

    @property
    def sample_count(self) -> int:
        return sum(len(part) for part in self.order)


@attrs.frozen
class Schedule:
    """Learning rate over the steps: "constant", "cosine" (to zero at `total_steps`) or "step" (times
    `factor` every `every` steps)."""

    kind: str = "constant"
    total_steps: int = 1
    every: int = 1
    factor: float = 0.1

    def scale(self, step: int) -> float:
        """Factor of the base learning rate at `step`."""
        if self.kind == "cosine":
            return 0.5 * (1 + cos(pi * min(1.0, step / self.total_steps)))
        if self.kind == "step":
            return float(self.factor ** (step // self.every))
        return 1.0


@attrs.frozen
class Recipe:
    """How a run trains, whatever the network: a plan for any stretch of steps follows from it.

    state_at_surgery: "reset" gives an edited network a fresh optimizer, "carry" takes its state along.
    redraw: the initializer by which an edited network gets new weights in place of those that it
    inherits; None to inherit them. augment: how samples are varied in each epoch; None for not at all.
    """

    optimizer: Optimizer = attrs.field(factory=SGD)
    loss: str = "cross_entropy"
    batch_size: int = 16
    clip_norm: float | None = None
    schedule: Schedule = Schedule()
    seed: int = 0
    state_at_surgery: str = STATE_AT_SURGERY[0]
    redraw: str | None = None
    augment: Augmentation | None = None

    def steps_per_epoch(self, samples: int) -> int:
        return -(-samples // self.batch_size)

    def plan_samples(self, samples: int, start: int, stop: int) -> int:
        """How many samples the batches from position `start` to `stop` hold."""
        return self._samples_before(samples, stop) - self._samples_before(samples, start)

    def _samples_before(self, samples: int, position: int) -> int:
        epochs, rest = divmod(position, self.steps_per_epoch(samples))
        return epochs * samples + min(rest * self.batch_size, samples)

    def refit_plan(
        self, samples: int, start: int, steps: int, rate: float, decay: float
    ) -> TrainingPlan:
        """Like `plan`, but the learning rate falls to zero over the steps, whatever the schedule says."""
        plan = self.plan(samples, start, steps, 1.0, decay)
        rates = np.linspace(self.optimizer.learning_rate * rate, 0, steps, endpoint=False)
        return attrs.evolve(plan, rates=rates)

    def plan(
        self, samples: int, start: int, steps: int, rate: float = 1.0, decay: float = 1.0
    ) -> TrainingPlan:
        """The plan for `steps` batches from position `start`, for a training set of `samples`.

        rate: factor of the learning rate on top of the schedule. decay: factor of the weight decay.
        """
        decayed = self.optimizer.weight_decay * decay
        optimizer = attrs.evolve(self.optimizer, weight_decay=decayed)
        order = batch_order(self.seed, samples, self.batch_size, start, steps)
        scales = [self.schedule.scale(step) for step in range(start, start + steps)]
        rates = np.array(scales) * (self.optimizer.learning_rate * rate)
        return TrainingPlan(
            order, rates, self.batch_size, optimizer, self.loss, self.clip_norm, self.seed
        )


def batch_order(
    seed: int, samples: int, batch_size: int, start: int, steps: int
) -> tuple[Array, ...]:
    """Sample indices of `steps` batches from position `start`, one array per touched epoch.

    Epoch e is a permutation keyed by (seed, e) alone. So training may be cut anywhere, and two
    networks at the same position always see the same batches.
    """
    per_epoch = -(-samples // batch_size)
    order, position, end = [], start, start + steps
    while position < end:
        epoch, offset = divmod(position, per_epoch)
        count = min(per_epoch - offset, end - position)
        permutation = keyed_generator(seed, "batches", epoch).permutation(samples)
        order.append(permutation[offset * batch_size : (offset + count) * batch_size])
        position += count
    return tuple(order)


def batches(plan: TrainingPlan) -> Iterator[Array]:
    """The indices of each batch in turn."""
    for part in plan.order:
        for first in range(0, len(part), plan.batch_size):
            yield part[first : first + plan.batch_size]
