"""What training of any kind holds: tensors of the weights and slots, and the way in and out of them."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import tensorflow as tf

from nas_surgery.network import Array
from nas_surgery.training.optimizers import slot_names
from nas_surgery.training.plans import TrainingPlan
from nas_surgery.training.state import Slots, TrainState
from nas_surgery_tensorflow.data import PlacedSamples
from nas_surgery_tensorflow.stretches import Stretch

Tensors = Sequence[tf.Tensor]


class Training:
    """The tensors of some training; `_train` changes them."""

    def __init__(self, state: TrainState, data: PlacedSamples, plan: TrainingPlan) -> None:
        self.before, self.network, self.plan = state, state.network, plan
        self.x, self.y = data.tensors(self.network)
        self.updates = state.slots.updates if state.slots else 0
        self.weights = constants(self.network.parameters().values())
        self.slots = tuple(self._slot(name) for name in slot_names(plan.optimizer))

    def stretches(self) -> Iterable[Stretch]:
        """The plan in parts."""
        raise NotImplementedError

    def run(self) -> Array:
        """Train on the planned batches; the mean loss of each."""
        losses = [np.zeros(0)]
        for stretch in self.stretches():
            losses.append(self._train(stretch))
            if not np.isfinite(losses[-1]).all():
                break
        return np.concatenate(losses)

    def state(self, steps: int) -> TrainState:
        """The trained network and the optimizer's slots as values of the core."""
        names = slot_names(self.plan.optimizer)
        slots = {name: self._named(slot) for name, slot in zip(names, self.slots, strict=True)}
        network = self.network.with_parameters(self._trained())
        return TrainState(network, Slots(slots, self.updates + steps), self.before.step + steps)

    def _train(self, stretch: Stretch) -> Array:
        """Train on a part; the mean loss of each batch."""
        raise NotImplementedError

    def _trained(self) -> Mapping[str, Array]:
        """All arrays that training changed."""
        return self._named(self.weights)

    def _slot(self, name: str) -> tuple[tf.Tensor, ...]:
        """One slot's arrays; zeros for a fresh optimizer."""
        parameters = self.network.parameters()
        held = self.before.slots.values[name] if self.before.slots else {}
        return constants(
            held[key].astype(array.dtype) if held else np.zeros_like(array)
            for key, array in parameters.items()
        )

    def _named(self, tensors: Tensors) -> Mapping[str, Array]:
        names = self.network.parameters()
        return {name: tensor.numpy() for name, tensor in zip(names, tensors, strict=True)}


def constants(arrays: Iterable[Array]) -> tuple[tf.Tensor, ...]:
    """Tensors of the arrays' values."""
    return tuple(tf.constant(array) for array in arrays)
