"""The reference backend: dense networks, NumPy and BLAS only, in float32 or float64.

Small networks are bound by the overhead of calls, so a step makes few of them, on arrays that stay
where they are: all weights live in one vector, and plain SGD adds each kernel's gradient in place.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.linalg import blas

from nas_surgery.network import (
    FUNCTIONS,
    Activation,
    Array,
    Dense,
    Dropout,
    Flatten,
    Layer,
    Network,
    keyed_generator,
)
from nas_surgery.network.network import array_name
from nas_surgery.numpy_backend.optimizers import FlatUpdate, flat_views
from nas_surgery.training.backend import Backend, raw_samples
from nas_surgery.training.optimizers import SGD
from nas_surgery.training.plans import TrainingPlan
from nas_surgery.training.state import Samples, Slots, TrainState, apply_prefix

PREDICT_ROWS = 1024


class NumpyBackend(Backend):
    """Trains on the CPU with NumPy alone."""

    name = "numpy"
    layer_kinds = Backend.layer_kinds | {f"activation {name}" for name in FUNCTIONS}

    def train(self, state: TrainState, data: Any, plan: TrainingPlan) -> tuple[TrainState, Array]:
        self.check_training(state.network)
        trainer = _Trainer(state, plan)
        with np.errstate(all="ignore"):
            losses = trainer.run(apply_prefix(state.network, data))
        return trainer.state(state, len(losses)), losses

    def predict(self, network: Network, x: Any) -> Array:
        samples = x if isinstance(x, Samples) else raw_samples(x)
        starts = range(0, max(1, len(samples)), PREDICT_ROWS)
        with np.errstate(all="ignore"):
            parts = [
                network.forward(samples.x[i : i + PREDICT_ROWS], start=samples.prefix)
                for i in starts
            ]
        return np.concatenate(parts)

    def versions(self) -> dict[str, str]:
        return {"numpy": np.__version__}


class _Trainer:
    """The network unrolled into steps over one vector of weights."""

    def __init__(self, state: TrainState, plan: TrainingPlan) -> None:
        network = state.network
        self.plan, self.step, self.prefix = plan, state.step, network.prefix
        parameters = network.parameters()
        self.shapes = {name: array.shape for name, array in parameters.items()}
        self.weights = np.concatenate([array.ravel() for array in parameters.values()])
        self.gradient = np.zeros_like(self.weights)
        self.views = flat_views(self.weights, self.shapes)
        plain = isinstance(plan.optimizer, SGD) and plan.optimizer == SGD(
            plan.optimizer.learning_rate
        )
        self.in_place = plain and plan.clip_norm is None
        self.update = FlatUpdate(
            plan.optimizer, state.slots, self.weights, self.gradient, self.shapes
        )
        self.nodes = self._nodes(network)
        self.loss = _softmax_loss if plan.loss == "cross_entropy" else _squared_loss

    def _nodes(self, network: Network) -> "list[_Node]":
        gradients = flat_views(self.gradient, self.shapes)
        nodes: list[_Node] = []
        for address, layer in list(enumerate(network.layers))[network.prefix :]:
            if isinstance(layer, Dense):
                names = [array_name(address, field) for field in ("kernel", "bias")]
                weights, grads = (
                    [views.get(name) for name in names] for views in (self.views, gradients)
                )
                nodes.append(_DenseNode(weights, grads, self.in_place, first=not nodes))
            else:
                nodes.append(_node(address, layer))
        return nodes

    def run(self, samples: Samples) -> Array:
        """Train on the planned batches; the mean loss of each."""
        losses: list[Array] = []
        done = 0
        for part in self.plan.order:
            losses.append(self._epoch(samples, part, done))
            done += len(losses[-1])
            if not np.isfinite(losses[-1]).all():
                break
        return np.concatenate(losses) if losses else np.zeros(0)

    def _epoch(self, samples: Samples, order: Array, done: int) -> Array:
        size = self.plan.batch_size
        losses = np.empty(-(-len(order) // size))
        x = np.empty((size, *samples.x.shape[1:]), self.weights.dtype)
        for i in range(len(losses)):
            indices = order[i * size : (i + 1) * size]
            batch = x[: len(indices)]
            samples.x.take(indices, axis=0, out=batch, mode="clip")
            rate = float(self.plan.rates[done + i])
            losses[i] = self._train_batch(batch, samples.y[indices], rate, self.step + done + i)
        return losses

    def _train_batch(self, x: Array, y: Array, rate: float, step: int) -> float:
        for node in self.nodes:
            node.begin(self.plan.seed, step, rate)
            x = node.forward(x)
        loss, gradient = self.loss(x, y)
        for node in reversed(self.nodes):
            gradient = node.backward(gradient)
        if not self.in_place:
            self.update(rate, self.plan.clip_norm)
        return loss

    def state(self, before: TrainState, steps: int) -> TrainState:
        """The trained network and the optimizer's slots as values of the core."""
        trained = {name: view.copy() for name, view in self.views.items()}
        slots = Slots(self.update.slots(), self.update.updates + (steps if self.in_place else 0))
        return TrainState(before.network.with_parameters(trained), slots, before.step + steps)


class _Node:
    """One layer in training: `forward` remembers what `backward` needs."""

    def begin(self, seed: int, step: int, rate: float) -> None:
        """Called before each batch."""

    def forward(self, x: Array) -> Array:
        raise NotImplementedError

    def backward(self, gradient: Array) -> Array:
        raise NotImplementedError


class _DenseNode(_Node):
    def __init__(
        self, weights: list[Array | None], grads: list[Array | None], in_place: bool, first: bool
    ) -> None:
        kernel, self.bias = weights
        kernel_gradient, self.bias_gradient = grads
        assert kernel is not None
        assert kernel_gradient is not None
        self.kernel, self.kernel_gradient = kernel, kernel_gradient
        self.in_place, self.first, self.rate = in_place, first, 0.0
        self.gemm: Callable[..., Array] = blas.sgemm if kernel.dtype == np.float32 else blas.dgemm

    def begin(self, seed: int, step: int, rate: float) -> None:
        self.rate = rate

    def forward(self, x: Array) -> Array:
        self.x = x
        y: Array = x @ self.kernel
        if self.bias is not None:
            y += self.bias
        return y

    def backward(self, gradient: Array) -> Array:
        back = gradient if self.first else gradient @ self.kernel.T
        x = self.x.reshape(-1, self.x.shape[-1])
        flat = gradient.reshape(-1, gradient.shape[-1])
        if self.in_place:  # kernel += -rate · xᵀ g, as one product on the transposed views
            self.gemm(-self.rate, flat.T, x.T, 1.0, self.kernel.T, trans_b=True, overwrite_c=True)
        else:
            np.matmul(x.T, flat, out=self.kernel_gradient)
        if self.bias is not None and self.bias_gradient is not None:
            np.add.reduce(flat, axis=0, out=self.bias_gradient)
            if self.in_place:
                self.bias_gradient *= self.rate
                self.bias -= self.bias_gradient
        return back


class _ReluNode(_Node):
    def forward(self, x: Array) -> Array:
        self.y = np.maximum(x, 0, out=x)
        return self.y

    def backward(self, gradient: Array) -> Array:
        gradient *= self.y > 0
        return gradient


class _ActivationNode(_Node):
    def __init__(self, layer: Activation) -> None:
        self.function = layer.definition

    def forward(self, x: Array) -> Array:
        self.x = x
        self.y = self.function.value(x)
        return self.y

    def backward(self, gradient: Array) -> Array:
        return gradient * self.function.derivative(self.x, self.y)


class _FlattenNode(_Node):
    def forward(self, x: Array) -> Array:
        self.shape = x.shape
        return x.reshape(len(x), -1)

    def backward(self, gradient: Array) -> Array:
        return gradient.reshape(self.shape)


class _DropoutNode(_Node):
    """Masks are keyed by seed, step and layer, so that training may be cut anywhere."""

    def __init__(self, address: int, layer: Dropout) -> None:
        self.address, self.rate = address, layer.rate

    def begin(self, seed: int, step: int, rate: float) -> None:
        self.generator = keyed_generator(seed, "dropout", step, self.address)

    def forward(self, x: Array) -> Array:
        kept = self.generator.random(x.shape) >= self.rate
        self.mask = kept.astype(x.dtype) / x.dtype.type(1 - self.rate)
        result: Array = x * self.mask
        return result

    def backward(self, gradient: Array) -> Array:
        result: Array = gradient * self.mask
        return result


def _node(address: int, layer: Layer) -> _Node:
    if isinstance(layer, Flatten):
        return _FlattenNode()
    if isinstance(layer, Dropout):
        return _DropoutNode(address, layer)
    assert isinstance(layer, Activation), layer
    return _ReluNode() if layer.function == "relu" else _ActivationNode(layer)


def _softmax_loss(logits: Array, y: Array) -> tuple[float, Array]:
    """Mean cross-entropy of the softmax, and its gradient."""
    rows = np.arange(len(y))
    # a new array: an activation at the end still needs its outputs
    gradient = logits - np.maximum.reduce(logits, axis=1, keepdims=True)
    right = gradient[rows, y]
    np.exp(gradient, out=gradient)
    total = np.add.reduce(gradient, axis=1, keepdims=True)
    gradient /= total
    gradient[rows, y] -= 1
    gradient /= len(y)
    return float(np.add.reduce(np.log(total)[:, 0] - right)) / len(y), gradient


def _squared_loss(outputs: Array, y: Array) -> tuple[float, Array]:
    """Mean squared error over samples and outputs, and its gradient."""
    difference = outputs - y.astype(outputs.dtype, copy=False)
    loss = float(np.mean(difference * difference, dtype=np.float64))
    difference *= 2 / difference.size
    return loss, difference
