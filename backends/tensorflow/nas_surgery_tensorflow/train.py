"""The backend: training and prediction with TensorFlow."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import attrs
import numpy as np
import tensorflow as tf

from nas_surgery.network import Array, Network, Shape
from nas_surgery.network.functions import FUNCTIONS
from nas_surgery.training.backend import Backend, raw_samples
from nas_surgery.training.epochs import Watch, by_epochs
from nas_surgery.training.plans import TrainingPlan
from nas_surgery.training.state import Samples, TrainState
from nas_surgery_tensorflow.data import PlacedSamples
from nas_surgery_tensorflow.devices import named_device, on, present_devices
from nas_surgery_tensorflow.graph import check_inputs, fixed_arrays, graph, is_dense_chain
from nas_surgery_tensorflow.graph_training import GraphTraining
from nas_surgery_tensorflow.layers import describe, forward
from nas_surgery_tensorflow.operators import OPERATORS
from nas_surgery_tensorflow.optimizers import step_factors
from nas_surgery_tensorflow.program import Arguments, Program
from nas_surgery_tensorflow.stretches import (
    Stretch,
    batch_rows,
    capacity,
    dropout_masks,
    stretches,
)
from nas_surgery_tensorflow.training import Training, constants, in_parts
from nas_surgery_tensorflow.xla import updates_before_xla


class TensorFlowBackend(Backend):
    """Trains networks with TensorFlow on the CPU or a GPU.

    Dense chains go through functions of their own (`program.py`), all others through `graph_program.py`.
    """

    name = "tensorflow"
    forks = True
    layer_kinds = frozenset({*OPERATORS, *(f"activation {name}" for name in FUNCTIONS)})

    def devices(self) -> tuple[str, ...]:
        return present_devices()

    def device(self, wanted: str) -> str:
        return super().device(named_device(wanted))

    def place(self, samples: Samples, device: str = "cpu") -> PlacedSamples:
        return PlacedSamples(samples, self.device(device))

    def train(
        self, state: TrainState, data: Any, plan: TrainingPlan, watch: Watch | None = None
    ) -> tuple[TrainState, Array]:
        self.check_training(state.network)
        placed = self._placed(data)
        if plan.loss == "cross_entropy":
            placed.check_classes(state.network.output_shape[0])
        kind = _ChainTraining if is_dense_chain(state.network) else GraphTraining
        with on(placed.device):
            training = kind(state, placed, plan)
        losses = by_epochs(plan, training.epoch, training.look, watch)
        return training.state(len(losses)), losses

    def predict(self, network: Network, x: Any) -> Array:
        self.check(network)
        placed = self._placed(x)
        inputs, _ = placed.tensors(network)
        with on(placed.device):
            check_inputs(network, inputs)
            return in_parts(network, _inference(network), inputs, len(placed))

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


def _inference(network: Network) -> Callable[[tf.Tensor], tf.Tensor]:
    """Outputs from what enters the first layer that can change."""
    weights = constants(network.parameters().values())
    if is_dense_chain(network):
        return partial(forward, describe(network.layers[network.prefix :]), weights)
    whole = graph(network)
    return partial(whole.outputs, weights, constants(fixed_arrays(network, whole)))


class _ChainTraining(Training):
    """Of dense chains: whole epochs in one function, short batches filled up."""

    def __init__(self, state: TrainState, data: PlacedSamples, plan: TrainingPlan) -> None:
        super().__init__(state, data, plan)
        self.batch = batch_rows(plan, len(data))
        self.capacity = capacity(self.network, len(data), self.batch)
        self.xla_from = updates_before_xla(self.network, data.device) - self.updates
        self.program = Program(
            layers=describe(self.network.layers[self.network.prefix :]),
            optimizer=attrs.evolve(plan.optimizer, learning_rate=0.0),
            loss=plan.loss,
            clip_norm=plan.clip_norm,
            device=data.device,
        )

    def stretches(self, part: Array, done: int) -> Iterator[Stretch]:
        return stretches(part, self.batch, done, self.capacity, self.xla_from)

    def _inference(self) -> Callable[[tf.Tensor], tf.Tensor]:
        return partial(forward, self.program.layers, self.weights)

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


def _filled(array: Array, rows: int, dtype: Any) -> tf.Tensor:
    """The array with zeros behind it, `rows` in all: XLA's shapes are fixed."""
    filled = np.zeros((rows, *array.shape[1:]), dtype)
    filled[: len(array)] = array
    return tf.constant(filled)
