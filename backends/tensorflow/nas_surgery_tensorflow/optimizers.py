"""The optimizers as pure functions on lists of tensors; the formulas stand in `nas_surgery.training.plans`."""

from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf

from nas_surgery.network import Array
from nas_surgery.training.optimizers import SGD, Adam, AdamW, Optimizer, RMSprop

Tensors = Sequence[tf.Tensor]
Slots = Mapping[str, Tensors]


def step_factors(optimizer: Optimizer, rates: Array, updates: int) -> Array:
    """What changes from step to step: the rate, and for Adam what corrects the moments' bias.

    rates: (S,); updates: steps made before. Returns (S, 1) or (S, 3) in float64.
    """
    if not isinstance(optimizer, Adam):
        return rates[:, None]
    counts = range(updates + 1, updates + 1 + len(rates))
    decays = [(optimizer.beta1**count, optimizer.beta2**count) for count in counts]
    return np.column_stack([rates, 1 - np.reshape(decays, (len(rates), 2))])


def clipped(gradients: Tensors, clip_norm: float) -> list[tf.Tensor]:
    """The gradients, shortened together to a norm of at most `clip_norm`."""
    norm = tf.sqrt(tf.add_n([tf.reduce_sum(g * g) for g in gradients]))
    factor = tf.minimum(clip_norm / tf.maximum(norm, 1e-12), 1)
    return [g * factor for g in gradients]


def updated(
    optimizer: Optimizer, weights: Tensors, gradients: Tensors, slots: Slots, factors: Tensors
) -> tuple[list[tf.Tensor], dict[str, Tensors]]:
    """Weights and slots behind one step. factors: a row of `step_factors`, as scalars."""
    rate, *corrections = factors
    if isinstance(optimizer, AdamW):
        weights = [w * (1 - rate * optimizer.weight_decay) for w in weights]
    elif optimizer.weight_decay:
        gradients = [
            g + optimizer.weight_decay * w for g, w in zip(gradients, weights, strict=True)
        ]
    if isinstance(optimizer, SGD):
        steps, slots = _momentum(optimizer, gradients, slots)
    elif isinstance(optimizer, RMSprop):
        steps, slots = _rmsprop(optimizer, gradients, slots)
    else:
        steps, slots = _adam(optimizer, gradients, slots, *corrections)
    return [w - rate * step for w, step in zip(weights, steps, strict=True)], dict(slots)


def _momentum(optimizer: SGD, gradients: Tensors, slots: Slots) -> tuple[Tensors, Slots]:
    if not optimizer.momentum:
        return gradients, slots
    velocity = _sums(optimizer.momentum, slots["velocity"], gradients)
    steps = _sums(optimizer.momentum, velocity, gradients) if optimizer.nesterov else velocity
    return steps, {"velocity": velocity}


def _rmsprop(optimizer: RMSprop, gradients: Tensors, slots: Slots) -> tuple[Tensors, Slots]:
    second = _averages(optimizer.rho, slots["second_moment"], [g * g for g in gradients])
    steps: Tensors = [
        g / (tf.sqrt(s) + optimizer.epsilon) for g, s in zip(gradients, second, strict=True)
    ]
    if not optimizer.momentum:
        return steps, {"second_moment": second}
    velocity = _sums(optimizer.momentum, slots["velocity"], steps)
    return velocity, {"second_moment": second, "velocity": velocity}


def _adam(
    optimizer: Adam, gradients: Tensors, slots: Slots, c1: tf.Tensor, c2: tf.Tensor
) -> tuple[Tensors, Slots]:
    first = _averages(optimizer.beta1, slots["first_moment"], gradients)
    second = _averages(optimizer.beta2, slots["second_moment"], [g * g for g in gradients])
    steps = [
        (m / c1) / (tf.sqrt(v / c2) + optimizer.epsilon) for m, v in zip(first, second, strict=True)
    ]
    return steps, {"first_moment": first, "second_moment": second}


def _sums(factor: float, held: Tensors, new: Tensors) -> list[tf.Tensor]:
    return [factor * h + n for h, n in zip(held, new, strict=True)]


def _averages(keep: float, held: Tensors, new: Tensors) -> list[tf.Tensor]:
    return [h + (1 - keep) * (n - h) for h, n in zip(held, new, strict=True)]
