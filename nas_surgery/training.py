"""What training is, for every backend: optimizers with pinned conventions, plans, states, samples.

The core decides everything that could differ between frameworks: the order of batches, the learning
rate of each step, and the meaning of every hyperparameter.
"""

from collections.abc import Iterator, Mapping
from math import cos, pi
from typing import Any

import attrs
import numpy as np

from nas_surgery.network import Array, Network, keyed_generator
from nas_surgery.network.arrays import frozen_array
from nas_surgery.validators import one_of

LOSSES = ("cross_entropy", "mean_squared_error")
STATE_AT_SURGERY = ("reset", "carry")


@attrs.frozen
class SGD:
    """g += weight_decay·w;  v = momentum·v + g;  w -= rate·(g + momentum·v if nesterov else v)."""

    learning_rate: float = 0.005
    momentum: float = 0.0
    nesterov: bool = False
    weight_decay: float = 0.0


@attrs.frozen
class Adam:
    """g += weight_decay·w;  m, v: moving averages of g, g² with their bias corrected by the count of
    updates;  w -= rate·m̂/(sqrt(v̂) + epsilon)."""

    learning_rate: float = 0.001
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8
    weight_decay: float = 0.0


@attrs.frozen
class AdamW(Adam):
    """Adam with decoupled decay: w -= rate·weight_decay·w before the step, and g left as it is."""

    weight_decay: float = 0.01


@attrs.frozen
class RMSprop:
    """g += weight_decay·w;  s = rho·s + (1 - rho)·g²;  u = momentum·u + g/(sqrt(s) + epsilon);  w -= rate·u."""

    learning_rate: float = 0.001
    rho: float = 0.9
    epsilon: float = 1e-8
    momentum: float = 0.0
    weight_decay: float = 0.0


Optimizer = SGD | Adam | AdamW | RMSprop

OPTIMIZERS: dict[str, type[Optimizer]] = {
    "sgd": SGD,
    "adam": Adam,
    "adamw": AdamW,
    "rmsprop": RMSprop,
}


def slot_names(optimizer: Optimizer) -> tuple[str, ...]:
    """Names of the arrays that an optimizer keeps for each parameter."""
    if isinstance(optimizer, Adam):
        return ("first_moment", "second_moment")
    if isinstance(optimizer, RMSprop):
        return ("second_moment", "velocity") if optimizer.momentum else ("second_moment",)
    return ("velocity",) if optimizer.momentum else ()


@attrs.frozen(eq=False)
class Slots:
    """Optimizer state: `values[slot][parameter]` in the shape of the parameter, where a parameter is
    named as on disk ("layers.2.kernel"); `updates` counts the steps since the slots were new."""

    values: Mapping[str, Mapping[str, Array]]
    updates: int = 0


@attrs.frozen(eq=False)
class TrainState:
    """A network in training. slots: None for a fresh optimizer; step: batches that the network and its
    ancestors have trained, which is also its place in the order of batches."""

    network: Network
    slots: Slots | None = None
    step: int = 0


@attrs.frozen(eq=False)
class Samples:
    """Inputs and labels of N samples.

    x: what enters layer `prefix` of the network, (N, ...); 0 means raw inputs. y: class indices (N,)
    or regression targets (N, outputs).
    """

    x: Array
    y: Array
    prefix: int = 0

    def __len__(self) -> int:
        return len(self.x)


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
    optimizer: Optimizer = SGD()
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
    """

    optimizer: Optimizer = SGD()
    loss: str = "cross_entropy"
    batch_size: int = 16
    clip_norm: float | None = None
    schedule: Schedule = Schedule()
    seed: int = 0
    state_at_surgery: str = STATE_AT_SURGERY[0]

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


def apply_prefix(network: Network, samples: Samples) -> Samples:
    """The samples as they enter the first layer that can change, in the network's dtype.

    Every network of a run shares its frozen prefix, so this is done once and not at each step.
    """
    if samples.prefix == network.prefix and samples.x.dtype == network.dtype:
        return samples
    x = network.forward(samples.x, start=samples.prefix, stop=network.prefix)
    return Samples(frozen_array(x), samples.y, network.prefix)


@attrs.frozen
class Evaluation:
    """Mean loss, and accuracy (or R² for regression), over a set of samples."""

    loss: float
    accuracy: float


def evaluate(logits: Array, y: Array, loss: str) -> Evaluation:
    """Loss and accuracy of logits (N, outputs) against labels, in float64."""
    z = logits.astype(np.float64)
    if loss == "mean_squared_error":
        return Evaluation(float(np.mean((z - y) ** 2)), r_squared(z, y))
    losses = sample_losses(z, y, loss)
    return Evaluation(float(losses.mean()), float(np.mean(z.argmax(axis=1) == y)))


def sample_losses(logits: Array, y: Array, loss: str) -> Array:
    """The loss of each sample (N,), in float64."""
    z = logits.astype(np.float64, copy=False)
    if loss == "mean_squared_error":
        return np.asarray(((z - y) ** 2).mean(axis=1))
    peak = z.max(axis=1)
    with np.errstate(invalid="ignore", over="ignore"):
        total = np.log(np.exp(z - peak[:, None]).sum(axis=1)) + peak
        return np.asarray(total - z[np.arange(len(z)), y])


def part_means(values: Array, parts: int) -> tuple[float, ...]:
    """Means over so many parts of the samples, or as many as there are samples: every n-th belongs to one."""
    count = min(parts, len(values))
    return tuple(float(values[i::count].mean()) for i in range(count))


def r_squared(predictions: Array, targets: Array) -> float:
    """Coefficient of determination, averaged over outputs; 0 for an output that does not vary."""
    residual = ((targets - predictions) ** 2).sum(axis=0)
    total = ((targets - targets.mean(axis=0)) ** 2).sum(axis=0)
    scores = np.where(total > 0, 1 - residual / np.where(total > 0, total, 1), 0.0)
    return float(np.mean(scores))


def optimizer_config(optimizer: Optimizer) -> dict[str, Any]:
    """The optimizer's name and settings as JSON values."""
    name = next(k for k, v in OPTIMIZERS.items() if v is type(optimizer))
    return {"name": name, **attrs.asdict(optimizer)}
