"""Training of networks that are no dense chains."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial

import attrs
import tensorflow as tf

from nas_surgery.network import Array
from nas_surgery.training.plans import TrainingPlan
from nas_surgery.training.state import TrainState
from nas_surgery_tensorflow import graph_program
from nas_surgery_tensorflow.data import PlacedSamples
from nas_surgery_tensorflow.graph import check_inputs, fixed_arrays, graph
from nas_surgery_tensorflow.graph_program import GraphArguments, GraphProgram
from nas_surgery_tensorflow.optimizers import step_factors
from nas_surgery_tensorflow.stretches import (
    Stretch,
    batch_rows,
    capacity,
    dropout_masks,
    even_stretches,
)
from nas_surgery_tensorflow.training import Training, constants


class GraphTraining(Training):
    """Batches of a stretch are of one size: a BatchNorm measures all that is in them."""

    def __init__(self, state: TrainState, data: PlacedSamples, plan: TrainingPlan) -> None:
        super().__init__(state, data, plan)
        check_inputs(self.network, self.x)
        batch = batch_rows(plan, len(data))
        self.capacity = capacity(self.network, len(data), batch)
        self.traced_from = graph_program.EAGER_UPDATES - self.updates
        self.program = GraphProgram(
            graph=graph(self.network),
            optimizer=attrs.evolve(plan.optimizer, learning_rate=0.0),
            loss=plan.loss,
            clip_norm=plan.clip_norm,
            device=data.device,
        )
        self.fixed = constants(fixed_arrays(self.network, self.program.graph))

    def stretches(self, part: Array, done: int) -> Iterator[Stretch]:
        size = self.plan.batch_size
        return even_stretches(part, size, done, self.capacity, self.traced_from)

    def _inference(self) -> Callable[[tf.Tensor], tf.Tensor]:
        return partial(self.program.graph.outputs, self.weights, self.fixed)

    def _train(self, stretch: Stretch) -> Array:
        arguments = self._arguments(stretch)
        traced = stretch.first >= self.traced_from
        function = self.program.function(arguments) if traced else self.program.run
        losses, self.weights, self.fixed, self.slots = function(*arguments)
        return stretch.mean_losses(losses.numpy())

    def _arguments(self, stretch: Stretch) -> GraphArguments:
        rates = self.plan.rates[stretch.first : stretch.first + len(stretch)]
        factors = step_factors(self.plan.optimizer, rates, self.updates + stretch.first)
        shares = (rates if self.program.plain else 1) / stretch.counts
        masks = dropout_masks(self.network, stretch, self.plan.seed, self.before.step)
        dtype = self.network.dtype
        return GraphArguments(
            x=self.x,
            y=self.y,
            order=tf.constant(stretch.order, tf.int64),
            shares=tf.constant(shares, dtype),
            factors=tf.constant(factors, dtype),
            masks=constants(masks),
            weights=self.weights,
            fixed=self.fixed,
            slots=self.slots,
        )

    def _trained(self) -> Mapping[str, Array]:
        graph = self.program.graph
        pairs = zip(graph.fixed, self.fixed, strict=True)
        measured = {name: tensor.numpy() for name, tensor in pairs if name in graph.measured}
        return {**super()._trained(), **measured}
