"""A stretch of training of any network, with the loop over its batches inside.

Steps are executed one operation after the other until a topology has lasted, and then as one TensorFlow
function: tracing it costs as much as many steps. The numbers of the two differ in their last bits, so the
choice must not depend on how much training is still to come, or where it is cut (see `xla.py`): it
depends on how many updates the topology has had since its optimizer was new.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import attrs
import tensorflow as tf

from nas_surgery.training.optimizers import SGD, Optimizer, slot_names
from nas_surgery_tensorflow.graph import Graph
from nas_surgery_tensorflow.losses import LOSSES
from nas_surgery_tensorflow.optimizers import clipped, updated
from nas_surgery_tensorflow.program import KEPT

Tensors = Sequence[tf.Tensor]

EAGER_UPDATES = 2**5
"""Tracing takes about a second, and saves 10 to 30 ms of a step."""


class GraphArguments(NamedTuple):
    """What a function takes: S batches of B samples from N.

    x: (N, ...), y: (N,) or (N, outputs). order: (S, B) indices. shares: (S,), what each sample's
    gradient counts. factors: (S, k), see `step_factors`. masks: of each Dropout, (S, B, ...) bool.
    weights, fixed: as `Graph` names them; slots: like weights, for each slot of the optimizer.
    """

    x: Any
    y: Any
    order: Any
    shares: Any
    factors: Any
    masks: Any
    weights: Any
    fixed: Any
    slots: Any


_FREE = GraphArguments(x=1, y=1, order=2, shares=1, factors=1, masks=2, weights=0, fixed=0, slots=0)
"""How many leading axes of each are free: those of steps and samples."""


@attrs.frozen
class GraphProgram:
    """All that a function depends on besides the shapes of its arguments.

    optimizer: with a learning rate of 0, since the true one comes with every step.
    """

    graph: Graph
    optimizer: Optimizer
    loss: str
    clip_norm: float | None
    device: str

    @property
    def plain(self) -> bool:
        """Whether a step is w -= rate·g and no more; then the rates are part of the shares."""
        return self.clip_norm is None and self.optimizer == SGD(0.0)

    def function(self, arguments: GraphArguments) -> Callable[..., Any]:
        """`run` as one TensorFlow function for any number of samples, steps and samples in a batch."""
        return _traced(self, GraphArguments(*map(_specs, arguments, _FREE)))

    def run(self, *values: Any) -> Any:
        """The loss of every sample, (S, B), and weights, fixed arrays and slots behind the last step."""
        a = GraphArguments(*values)
        count = tf.shape(a.order)[0]
        losses = tf.TensorArray(a.shares.dtype, count, element_shape=(None,))

        def step(i: tf.Tensor, losses: Any, *state: Any) -> Any:
            rows = a.order[i]
            batch = tf.gather(a.x, rows), tf.gather(a.y, rows)
            masks = [mask[i] for mask in a.masks]
            loss, *state = self._stepped(*batch, a.shares[i], a.factors[i], masks, *state)
            return i + 1, losses.write(i, loss), *state

        start = 0, losses, a.weights, a.fixed, a.slots
        _, losses, *state = tf.while_loop(
            lambda i, *_: i < count, step, start, parallel_iterations=1
        )
        return losses.stack(), *state

    def _stepped(
        self,
        x: tf.Tensor,
        y: tf.Tensor,
        share: tf.Tensor,
        factors: tf.Tensor,
        masks: Tensors,
        weights: Tensors,
        fixed: Tensors,
        slots: Sequence[Tensors],
    ) -> tuple[Any, ...]:
        """The loss of each sample before the step, and all that it changes."""
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(weights)
            logits, fixed = self.graph.trains(weights, fixed, masks, x)
        loss, signal = LOSSES[self.loss](logits, y)
        found = tape.gradient(
            logits, weights, signal * share, unconnected_gradients=tf.UnconnectedGradients.ZERO
        )
        gradients = tuple(map(tf.convert_to_tensor, found))  # those of tables are sparse
        return loss, *self._updated(weights, gradients, slots, factors, fixed)

    def _updated(
        self,
        weights: Tensors,
        gradients: Tensors,
        slots: Sequence[Tensors],
        factors: tf.Tensor,
        fixed: Tensors,
    ) -> tuple[Any, ...]:
        if self.plain:
            return tuple(w - g for w, g in zip(weights, gradients, strict=True)), fixed, slots
        if self.clip_norm is not None:
            gradients = clipped(gradients, self.clip_norm)
        names = slot_names(self.optimizer)
        held = dict(zip(names, slots, strict=True))
        weights, held = updated(self.optimizer, weights, gradients, held, tf.unstack(factors))
        return tuple(weights), fixed, tuple(tuple(held[name]) for name in names)


def _specs(arrays: Any, free: int) -> Any:
    """Shapes and dtypes, hashable; of so many leading axes none."""
    return tf.nest.map_structure(
        lambda a: tf.TensorSpec((*(None,) * free, *a.shape[free:]), a.dtype), arrays
    )


@lru_cache(KEPT)
def _traced(program: GraphProgram, specs: GraphArguments) -> Callable[..., Any]:
    loop = tf.function(program.run, autograph=False)
    function: Callable[..., Any] = loop.get_concrete_function(*specs)
    return function
