"""The backend: training and prediction with TensorFlow."""

from collections.abc import Mapping, Sequence
from typing import Any

import attrs
import numpy as np
import tensorflow as tf

from nas_surgery.network import Array, Network, Shape
from nas_surgery.training.backend import Backend, raw_samples
from nas_surgery.training.optimizers import slot_names
from nas_surgery.training.plans import TrainingPlan
from nas_surgery.training.state import Samples, Slots, TrainState
from nas_surgery_tensorflow.data import PlacedSamples
from nas_surgery_tensorflow.devices import named_device, on, present_devices
from nas_surgery_tensorflow.layers import describe, forward
from nas_surgery_tensorflow.optimizers import step_factors
from nas_surgery_tensorflow.program import Arguments, Program
from nas_surgery_tensorflow.stretches import (
    Stretch,
    batch_rows,
    capacity,
    dropout_masks,
    stretches,
)
from nas_surgery_tensorflow.xla import updates_before_xla

PREDICT_ROWS = 1024


class TensorFlowBackend(Backend):
    """Trains dense networks with TensorFlow on the CPU or a GPU."""

    name = "tensorflow"

    def devices(self) -> tuple[str, ...]:
        return present_devices()

    def device(self, wanted: str) -> str:
        return super().device(named_device(wanted))

    def place(self, samples: Samples, device: str = "cpu") -> PlacedSamples:
        return PlacedSamples(samples, self.device(device))

    def train(self, state: TrainState, data: Any, plan: TrainingPlan) -> tuple[TrainState, Array]:
        self.check_training(state.network)
        placed = self._placed(data)
        if plan.loss == "cross_entropy":
            placed.check_classes(state.network.output_shape[0])
        with on(placed.device):
            training = _Training(state, placed, plan)
            losses = training.run()
            return training.state(len(losses)), losses

    def predict(self, network: Network, x: Any) -> Array:
        self.check(network)
        placed = self._placed(x)
        layers = describe(network.layers[network.prefix :])
        inputs, _ = placed.tensors(network)
        with on(placed.device):
            weights = _constants(network.parameters().values())
            starts = range(0, max(1, len(placed)), PREDICT_ROWS)
            parts = [forward(layers, weights, inputs[i : i + PREDICT_ROWS]) for i in starts]
            return np.concatenate(parts)

    def to_native(self, network: Network) -> Any:
        from nas_surgery_tensorflow import translate

        self.check(network)
        return translate.to_native(network)

    def from_native(self, model: Any, input_shape: int | Shape) -> Network:
        from nas_surgery_tensorflow import translate

        return translate.from_native(model, input_shape)

    def versions(self) -> dict[str, str]:
        return {"tensorflow": tf.__version__}

    def _placed(self, data: Any) -> PlacedSamples:
        if isinstance(data, PlacedSamples):
            return data
        return self.place(data if isinstance(data, Samples) else raw_samples(data))


class _Training:
    """The tensors of some training, and the function that changes them."""

    def __init__(self, state: TrainState, data: PlacedSamples, plan: TrainingPlan) -> None:
        self.before, self.network, self.plan = state, state.network, plan
        self.x, self.y = data.tensors(self.network)
        self.updates = state.slots.updates if state.slots else 0
        self.batch = batch_rows(plan, len(data))
        self.capacity = capacity(self.network, len(data), self.batch)
        self.xla_from = updates_before_xla(self.network, data.device) - self.updates
        self.weights = _constants(self.network.parameters().values())
        self.slots = tuple(self._slot(name) for name in slot_names(plan.optimizer))
        self.program = Program(
            layers=describe(self.network.layers[self.network.prefix :]),
            optimizer=attrs.evolve(plan.optimizer, learning_rate=0.0),
            loss=plan.loss,
            clip_norm=plan.clip_norm,
            device=data.device,
        )

    def run(self) -> Array:
        """Train on the planned batches; the mean loss of each."""
        losses = [np.zeros(0)]
        for stretch in stretches(self.plan, self.batch, self.capacity, self.xla_from):
            losses.append(self._train(stretch))
            if not np.isfinite(losses[-1]).all():
                break
        return np.concatenate(losses)

    def state(self, steps: int) -> TrainState:
        """The trained network and the optimizer's slots as values of the core."""
        names = slot_names(self.plan.optimizer)
        slots = {name: self._named(slot) for name, slot in zip(names, self.slots, strict=True)}
        network = self.network.with_parameters(self._named(self.weights))
        return TrainState(network, Slots(slots, self.updates + steps), self.before.step + steps)

    def _train(self, stretch: Stretch) -> Array:
        program = attrs.evolve(self.program, xla=stretch.first >= self.xla_from)
        arguments = self._arguments(stretch, program)
        losses, self.weights, self.slots = program.function(arguments)(*arguments)
        return stretch.mean_losses(losses.numpy()[: len(stretch)])

    def _arguments(self, stretch: Stretch, program: Program) -> Arguments:
        rates = self.plan.rates[stretch.first : stretch.first + len(stretch)]
        factors = step_factors(self.plan.optimizer, rates, self.updates + stretch.first)
        shares = stretch.shares * rates[:, None] if program.plain else stretch.shares
        masks = dropout_masks(self.network, stretch, self.plan.seed, self.before.step)
        rows = self.capacity if program.xla else len(stretch)
        dtype = self.network.dtype
        return Arguments(
            steps=tf.constant(len(stretch)),
            x=self.x,
            y=self.y,
            order=_filled(stretch.order, rows, np.int64),
            shares=_filled(shares[:, :, None], rows, dtype),
            factors=_filled(factors, rows, dtype),
            masks=tuple(_filled(mask, rows, np.bool_) for mask in masks),
            weights=self.weights,
            slots=self.slots,
        )

    def _slot(self, name: str) -> tuple[tf.Tensor, ...]:
        """One slot's arrays; zeros for a fresh optimizer."""
        parameters = self.network.parameters()
        held = self.before.slots.values[name] if self.before.slots else {}
        return _constants(
            held[key].astype(array.dtype) if held else np.zeros_like(array)
            for key, array in parameters.items()
        )

    def _named(self, tensors: Sequence[tf.Tensor]) -> Mapping[str, Array]:
        names = self.network.parameters()
        return {name: tensor.numpy() for name, tensor in zip(names, tensors, strict=True)}


def _constants(arrays: Any) -> tuple[tf.Tensor, ...]:
    return tuple(tf.constant(array) for array in arrays)


def _filled(array: Array, rows: int, dtype: Any) -> tf.Tensor:
    """The array with zeros behind it, `rows` in all: XLA's shapes are fixed."""
    filled = np.zeros((rows, *array.shape[1:]), dtype)
    filled[: len(array)] = array
    return tf.constant(filled)
