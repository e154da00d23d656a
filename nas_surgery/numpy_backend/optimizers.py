"""The optimizers of the NumPy backend, each a few operations on one vector of all weights."""

from collections.abc import Mapping

import numpy as np

from nas_surgery.network import Array, Shape
from nas_surgery.training.optimizers import SGD, Adam, AdamW, Optimizer, RMSprop, slot_names
from nas_surgery.training.state import Slots


class FlatUpdate:
    """Updates `weights` (P,) in place from `gradient` (P,), which it may overwrite.

    The formulas stand in `nas_surgery.training.plans`. shapes: of each parameter by name, in flat order.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        slots: Slots | None,
        weights: Array,
        gradient: Array,
        shapes: Mapping[str, Shape],
    ) -> None:
        self.optimizer, self.weights, self.gradient, self.shapes = (
            optimizer,
            weights,
            gradient,
            shapes,
        )
        self.updates = 0 if slots is None else slots.updates
        self.state = {name: np.zeros_like(weights) for name in slot_names(optimizer)}
        if slots is not None:
            for slot, vector in self.state.items():
                for name, view in flat_views(vector, shapes).items():
                    view[...] = slots.values[slot][name]

    def __call__(self, rate: float, clip_norm: float | None) -> None:
        self.updates += 1
        gradient, optimizer = self.gradient, self.optimizer
        if clip_norm is not None:
            norm = float(np.sqrt(np.dot(gradient, gradient)))
            gradient *= min(1.0, clip_norm / max(norm, 1e-12))
        if isinstance(optimizer, AdamW):
            self.weights *= 1 - rate * optimizer.weight_decay
        elif optimizer.weight_decay:
            gradient += optimizer.weight_decay * self.weights
        step = self._direction()
        step *= rate
        self.weights -= step

    def _direction(self) -> Array:
        """The step for a learning rate of one; may be the gradient's own memory."""
        if isinstance(self.optimizer, SGD):
            return self._momentum(self.optimizer)
        if isinstance(self.optimizer, RMSprop):
            return self._rmsprop(self.optimizer)
        return self._adam(self.optimizer)

    def _momentum(self, optimizer: SGD) -> Array:
        if not optimizer.momentum:
            return self.gradient
        velocity = self.state["velocity"]
        velocity *= optimizer.momentum
        velocity += self.gradient
        if not optimizer.nesterov:
            return velocity.copy()
        return self.gradient + optimizer.momentum * velocity

    def _adam(self, optimizer: Adam) -> Array:
        first, second = self.state["first_moment"], self.state["second_moment"]
        first += (1 - optimizer.beta1) * (self.gradient - first)
        second += (1 - optimizer.beta2) * (self.gradient * self.gradient - second)
        unbiased = first / (1 - optimizer.beta1**self.updates)
        root = np.sqrt(second / (1 - optimizer.beta2**self.updates))
        root += optimizer.epsilon
        unbiased /= root
        return unbiased

    def _rmsprop(self, optimizer: RMSprop) -> Array:
        second = self.state["second_moment"]
        second += (1 - optimizer.rho) * (self.gradient * self.gradient - second)
        scaled: Array = self.gradient / (np.sqrt(second) + optimizer.epsilon)
        if not optimizer.momentum:
            return scaled
        velocity = self.state["velocity"]
        velocity *= optimizer.momentum
        velocity += scaled
        return velocity.copy()

    def slots(self) -> dict[str, dict[str, Array]]:
        """The optimizer's arrays by slot and parameter, as copies."""
        return {
            slot: {name: view.copy() for name, view in flat_views(vector, self.shapes).items()}
            for slot, vector in self.state.items()
        }


def flat_views(vector: Array, shapes: Mapping[str, Shape]) -> dict[str, Array]:
    """Consecutive parts of a vector as arrays of the given shapes, sharing its memory."""
    views, start = {}, 0
    for name, shape in shapes.items():
        size = int(np.prod(shape))
        views[name] = vector[start : start + size].reshape(shape)
        start += size
    return views
