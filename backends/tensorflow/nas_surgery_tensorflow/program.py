"""A stretch of training as one TensorFlow function, with the loop over its batches inside."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import attrs
import tensorflow as tf

from nas_surgery.training.optimizers import SGD, Optimizer, slot_names
from nas_surgery_tensorflow.layers import Description, Linear, forward
from nas_surgery_tensorflow.losses import LOSSES
from nas_surgery_tensorflow.optimizers import clipped, updated

Tensors = Sequence[tf.Tensor]

KEPT = 32
"""Functions that stay; a run seldom comes back to a topology that so many others followed."""

NARROW = 64
"""With XLA, kernels of at most so many units run twice as fast the other way round, (out, in)."""


class Arguments(NamedTuple):
    """What a function takes: S batches of B samples from N.

    steps: how many of the S to train. x: (N, ...), y: (N,) or (N, outputs). order: (S, B) indices.
    shares: (S, B, 1), what each sample's gradient counts; 0 where a batch is smaller than B. factors:
    (S, k), see `step_factors`. masks: of each Dropout, (S, B, ...) bool. weights: kernel and bias of
    each linear layer; slots: the same for each slot of the optimizer.
    """

    steps: Any
    x: Any
    y: Any
    order: Any
    shares: Any
    factors: Any
    masks: Any
    weights: Any
    slots: Any


@attrs.frozen
class Program:
    """All that a function depends on besides the shapes of its arguments.

    optimizer: with a learning rate of 0, since the true one comes with every step. xla: whether XLA
    compiles it, for fixed N and S; without it both are free.
    """

    layers: tuple[Description, ...]
    optimizer: Optimizer
    loss: str
    clip_norm: float | None
    device: str
    xla: bool = False

    @property
    def plain(self) -> bool:
        """Whether a step is w -= rate·g and no more; then the rates are part of the shares."""
        return self.clip_norm is None and self.optimizer == SGD(0.0)

    def function(self, arguments: Arguments) -> Callable[..., Any]:
        """A function for arguments of these shapes: it returns the loss of every sample, (S, B), and
        the weights and slots behind the last step."""
        free = Arguments(*(name in _FREE and not self.xla for name in Arguments._fields))
        return _traced(self, Arguments(*map(_specs, arguments, free)))


_FREE = ("x", "y", "order", "shares", "factors", "masks")


def _specs(arrays: Any, free: bool) -> Any:
    """Shapes and dtypes, hashable; of the first axis none if it is free."""
    return tf.nest.map_structure(
        lambda a: tf.TensorSpec((None, *a.shape[1:]) if free else a.shape, a.dtype), arrays
    )


@lru_cache(KEPT)
def _traced(program: Program, specs: Arguments) -> Callable[..., Any]:
    loop = tf.function(_Loop(program).run, autograph=False, jit_compile=program.xla)
    function: Callable[..., Any] = loop.get_concrete_function(*specs)
    return function


class _Loop:
    """The operations of a program."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.layers = (
            tuple(_flipped(layer) for layer in program.layers) if program.xla else program.layers
        )
        self.names = slot_names(program.optimizer)

    def run(self, *values: Any) -> Any:
        a = Arguments(*values)
        labels = tf.gather(a.y, a.order)
        capacity, batch = a.order.shape
        size = tf.shape(a.order)[0] if capacity is None else capacity
        losses = tf.TensorArray(a.shares.dtype, size, element_shape=(batch,))

        def step(i: tf.Tensor, losses: Any, weights: Tensors, slots: Sequence[Tensors]) -> Any:
            x = tf.gather(a.x, a.order[i])
            masks = [mask[i] for mask in a.masks]
            loss, gradients = self._gradients(x, labels[i], a.shares[i], masks, weights)
            weights, slots = self._updated(weights, gradients, slots, a.factors[i])
            return i + 1, losses.write(i, loss), weights, slots

        start = 0, losses, self._turned(a.weights), tuple(map(self._turned, a.slots))
        _, losses, weights, slots = tf.while_loop(
            lambda i, *_: i < a.steps, step, start, parallel_iterations=1
        )
        return losses.stack(), self._turned(weights), tuple(map(self._turned, slots))

    def _gradients(
        self, x: tf.Tensor, y: tf.Tensor, share: tf.Tensor, masks: Tensors, weights: Tensors
    ) -> tuple[tf.Tensor, Tensors]:
        """The loss of each sample, and the gradient of what they come to together."""
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(weights)
            logits = forward(self.layers, weights, x, masks)
        loss, signal = LOSSES[self.program.loss](logits, y)
        return loss, tape.gradient(logits, weights, signal * share)

    def _updated(
        self, weights: Tensors, gradients: Tensors, slots: Sequence[Tensors], factors: tf.Tensor
    ) -> tuple[Tensors, Sequence[Tensors]]:
        program = self.program
        if program.plain:
            return tuple(w - g for w, g in zip(weights, gradients, strict=True)), slots
        if program.clip_norm is not None:
            gradients = clipped(gradients, program.clip_norm)
        held = dict(zip(self.names, slots, strict=True))
        weights, held = updated(program.optimizer, weights, gradients, held, tf.unstack(factors))
        return tuple(weights), tuple(tuple(held[name]) for name in self.names)

    def _turned(self, arrays: Tensors) -> Tensors:
        """Kernels of flipped layers transposed: the way in and the way out."""
        linear = [layer for layer in self.layers if isinstance(layer, Linear)]
        turn = [flip for layer in linear for flip in (layer.flipped, False)[: layer.arrays]]
        return tuple(tf.transpose(a) if t else a for a, t in zip(arrays, turn, strict=True))


def _flipped(layer: Description) -> Description:
    if isinstance(layer, Linear) and layer.units <= NARROW:
        return attrs.evolve(layer, flipped=True)
    return layer
