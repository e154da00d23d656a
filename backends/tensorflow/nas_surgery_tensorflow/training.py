"""What training of any kind holds: tensors of the weights and slots, and the way in and out of them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from math import prod

import numpy as np
import tensorflow as tf

from nas_surgery.network import Array, Network
from nas_surgery.training.optimizers import slot_names
from nas_surgery.training.plans import TrainingPlan
from nas_surgery.training.state import Slots, TrainState
from nas_surgery_tensorflow.data import PlacedSamples
from nas_surgery_tensorflow.devices import on
from nas_surgery_tensorflow.graph import is_dense_chain
from nas_surgery_tensorflow.stretches import Stretch

PREDICT_ROWS = 1024
PREDICT_VALUES = 2**23  # of the largest tensor

Tensors = Sequence[tf.Tensor]


class Training:
    """The tensors of some training; `_train` changes them."""

    def __init__(self, state: TrainState, data: PlacedSamples, plan: TrainingPlan) -> None:
        self.before, self.network, self.plan = state, state.network, plan
        self.device = data.device
        self.x, self.y = data.tensors(self.network)
        self.updates = state.slots.updates if state.slots else 0
        self.weights = constants(self.network.parameters().values())
        self.slots = tuple(self._slot(name) for name in slot_names(plan.optimizer))

    def stretches(self, part: Array, done: int) -> Iterable[Stretch]:
        """A part of the plan's order, behind `done` other steps, cut into stretches."""
        raise NotImplementedError

    def epoch(self, part: Array, done: int) -> Array:
        """Train on the batches of a part of the plan, behind `done` others; the mean loss of each."""
        losses = [np.zeros(0)]
        with on(self.device):
            for stretch in self.stretches(part, done):
                losses.append(self._train(stretch))
                if not np.isfinite(losses[-1]).all():
                    break
        return np.concatenate(losses)

    def look(self, samples: PlacedSamples) -> Array:
        """Logits of samples by the weights as they are."""
        with on(self.device):
            inputs = samples.tensors(self.network)[0]
            return in_parts(self.network, self._inference(), inputs, len(samples))

    def _inference(self) -> Callable[[tf.Tensor], tf.Tensor]:
        """Outputs from what enters the first layer that can change, by the weights as they are."""
        raise NotImplementedError

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


def in_parts(
    network: Network, run: Callable[[tf.Tensor], tf.Tensor], inputs: tf.Tensor, count: int
) -> Array:
    """Outputs of so many samples, not too many at once."""
    none = np.zeros((0, *network.output_shape), network.dtype)  # not every kernel takes none
    rows = _rows(network)
    parts = (run(inputs[i : i + rows]) for i in range(0, count, rows))
    return np.concatenate([none, *parts])


def _rows(network: Network) -> int:
    """How many samples are predicted at a time."""
    if is_dense_chain(network):
        return PREDICT_ROWS
    return min(PREDICT_ROWS, max(1, PREDICT_VALUES // max(map(prod, network.shapes))))
