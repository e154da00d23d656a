"""The backend: training and prediction with PyTorch."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cached_property, partial
from math import prod
from typing import Any

import numpy as np
import torch

from nas_surgery.network import Array, Network, Shape
from nas_surgery.network.functions import FUNCTIONS
from nas_surgery.training.backend import Backend, raw_samples
from nas_surgery.training.epochs import Watch, by_epochs
from nas_surgery.training.native_model import NativeModel
from nas_surgery.training.optimizers import SGD, slot_names
from nas_surgery.training.plans import TrainingPlan
from nas_surgery.training.state import Samples, Slots, TrainState
from nas_surgery_torch import cuda_graph, translate
from nas_surgery_torch.cuda_graph import GraphedStep
from nas_surgery_torch.data import PlacedSamples, moved
from nas_surgery_torch.devices import named_device, present_devices, repeatable
from nas_surgery_torch.graph import Graph, check_inputs, is_dense_chain
from nas_surgery_torch.graph_step import GraphStep
from nas_surgery_torch.layers import Call
from nas_surgery_torch.layout import Layout, fixed_arrays
from nas_surgery_torch.losses import LOSSES
from nas_surgery_torch.operators import OPERATORS
from nas_surgery_torch.optimizers import clip_calls, update_calls
from nas_surgery_torch.step import Step, inferred
from nas_surgery_torch.stretches import Stretch, stretches

PREDICT_ROWS = 1024
PREDICT_VALUES = 2**23  # of the largest tensor
LOGITS_KEPT = 2**20  # of the steps between two looks at the losses


class TorchBackend(Backend):
    """Trains networks with PyTorch on the CPU, CUDA or Apple's MPS.

    Dense chains go through steps unrolled by hand (`step.py`), all others through autograd
    (`graph_step.py`).
    """

    name = "torch"
    forks = True
    layer_kinds = frozenset({*OPERATORS, *(f"activation {name}" for name in FUNCTIONS)})

    def devices(self) -> tuple[str, ...]:
        return present_devices()

    def device(self, wanted: str) -> str:
        return super().device(named_device(wanted))

    def place(self, samples: Samples, device: str = "cpu") -> PlacedSamples:
        return PlacedSamples(samples, torch.device(self.device(device)))

    def train(
        self, state: TrainState, data: Any, plan: TrainingPlan, watch: Watch | None = None
    ) -> tuple[TrainState, Array]:
        self.check_training(state.network)
        placed = self._placed(data)
        with _computing(placed.device, state.network.macs * plan.batch_size, state.network):
            training = _Training(state, placed, plan)
        losses = by_epochs(plan, training.epoch, training.look, watch)
        return training.state(len(losses)), losses

    def predict(self, network: Network, x: Any) -> Array:
        self.check(network)
        placed = self._placed(x)
        with repeatable(placed.device, network.macs * PREDICT_ROWS), torch.inference_mode():
            inputs, run = placed.inputs(network), _inference(network, placed.device)
            check_inputs(network, inputs)
            parts = [run(rows).cpu() for rows in torch.split(inputs, _rows(network))]
        return torch.cat(parts).numpy()

    def to_native(self, network: Network) -> torch.nn.Module:
        self.check(network)
        return translate.to_native(network)

    def from_native(self, model: Any, input_shape: int | Shape) -> Network:
        return translate.from_native(model, input_shape)

    def open_native(self, model: Any, input_shape: int | Shape) -> NativeModel:
        return translate.opened(model, input_shape)

    def versions(self) -> dict[str, str]:
        return {"torch": str(torch.__version__)}

    def _placed(self, data: Any) -> PlacedSamples:
        if isinstance(data, PlacedSamples):
            return data
        return self.place(data if isinstance(data, Samples) else raw_samples(data))


def _inference(network: Network, device: torch.device) -> Callable[[torch.Tensor], torch.Tensor]:
    """Logits from what enters the first layer that can change."""
    if is_dense_chain(network):
        return translate.chain_modules(network.layers[network.prefix :]).eval().to(device)
    layout = Layout(network, device)
    weights = layout.views(layout.pack(network.parameters()))
    graph = Graph(network)
    return partial(graph, arrays=graph.arrays(weights, fixed_arrays(network, device)))


def _rows(network: Network) -> int:
    """How many samples are predicted at a time."""
    widest = max(map(prod, network.shapes))
    return min(PREDICT_ROWS, max(1, PREDICT_VALUES // widest))


class _Training:
    """The tensors of some training, and a step for each size of batch."""

    def __init__(self, state: TrainState, data: PlacedSamples, plan: TrainingPlan) -> None:
        self.before, self.network, self.plan = state, state.network, plan
        self.device, self.macs = data.device, state.network.macs * plan.batch_size
        outputs = self.network.output_shape[0]
        if plan.loss == "cross_entropy":
            data.check_classes(outputs)
        self.x, self.y = data.inputs(self.network), data.y
        check_inputs(self.network, self.x)
        self.layout = Layout(self.network, data.device)
        self.loss = LOSSES[plan.loss](outputs, self.layout.dtype)
        self.rate = self._scalar(data.device)
        self.weights = self.layout.pack(self.network.parameters())
        self.fixed = fixed_arrays(self.network, data.device)
        self.views = self.layout.views(self.weights)
        self.slots = self._slots(state.slots)
        self.updates = state.slots.updates if state.slots else 0
        plain = plan.optimizer == SGD(plan.optimizer.learning_rate)
        self.by_hand = is_dense_chain(self.network)
        # each product updates its weights
        self.at_once = self.by_hand and plain and plan.clip_norm is None
        self.gradient = None if self.at_once else self.layout.zeros()
        self.update = self._update_calls()
        self.capacity = max(1, LOGITS_KEPT // (outputs * plan.batch_size))
        self.steps: dict[int, Step | GraphStep] = {}
        self.graphed: GraphedStep | None = None

    def epoch(self, part: Array, done: int) -> Array:
        """Train on the batches of a part of the plan, behind `done` others; the mean loss of each."""
        losses = [np.zeros(0)]
        with self._settings():
            for rows in stretches(part, self.plan.batch_size, self.capacity):
                losses.append(self._stretch(rows, done))
                done += len(rows)
                if not np.isfinite(losses[-1]).all():
                    break
        return np.concatenate(losses)

    def look(self, samples: PlacedSamples) -> Array:
        """Logits of samples by the weights as they are."""
        with self._settings():
            parts = torch.split(samples.inputs(self.network), _rows(self.network))
            return torch.cat([self._inferred(rows) for rows in parts]).cpu().numpy()

    def _inferred(self, rows: torch.Tensor) -> torch.Tensor:
        if self.by_hand:
            return inferred(self.network, self.views, rows)
        return self.graph(rows, self.graph.arrays(self.views, self.fixed))

    @cached_property
    def graph(self) -> Graph:
        """The network in inference."""
        return Graph(self.network)

    def state(self, steps: int) -> TrainState:
        """The trained network and the optimizer's slots as values of the core."""
        measured = {name: self.fixed[name].cpu().numpy() for name in self.network.statistics()}
        trained = self.layout.unpack(self.weights)
        network = self.network.with_parameters({**trained, **measured})
        values = {slot: self.layout.unpack(vector) for slot, vector in self.slots.items()}
        return TrainState(network, Slots(values, self.updates + steps), self.before.step + steps)

    def _settings(self) -> AbstractContextManager[None]:
        """What training computes within; whoever watches stands outside."""
        return _computing(self.device, self.macs, self.network)

    def _stretch(self, rows: Array, done: int) -> Array:
        """Train on batches of one size, rows (steps, batch); the mean loss of each."""
        steps, size = rows.shape
        indices = moved(rows, self.x.device)
        labels = self.y[indices]
        targets = self.loss.targets(labels)
        rates = self.plan.rates[done : done + steps] * (
            self.loss.factor(size) if self.at_once else 1.0
        )
        stretch = Stretch(
            first=self.before.step + done,
            indices=indices,
            targets=targets,
            rates=torch.tensor(rates).to(self.rate),
            logits=torch.empty_like(targets),
        )
        self._train(stretch)
        return self.loss.losses(stretch.logits, labels)

    def _train(self, stretch: Stretch) -> None:
        step = self._step(stretch.indices.shape[1])
        if cuda_graph.pays(self.x.device, len(stretch)):
            self.graphed = self.graphed or GraphedStep(
                step, self.x, self.rate, self.plan.seed, self.capacity
            )
            self.graphed.run(stretch)
        else:
            self._train_eagerly(step, stretch)

    def _train_eagerly(self, step: Step | GraphStep, stretch: Stretch) -> None:
        for number, (indices, target, rate, logits) in enumerate(stretch, stretch.first):
            torch.index_select(self.x, 0, indices, out=step.x)
            self.rate.copy_(rate)
            step.masks.draw(self.plan.seed, number)
            step.run(target)
            logits.copy_(step.logits)

    def _step(self, size: int) -> Step | GraphStep:
        """The step for batches of that size."""
        if size not in self.steps:
            self.steps[size] = self._chain_step(size) if self.by_hand else self._graph_step(size)
        return self.steps[size]

    def _chain_step(self, size: int) -> Step:
        return Step(
            self.network,
            self.views,
            None if self.gradient is None else self.layout.views(self.gradient),
            self.loss,
            self.rate if self.at_once else self.loss.factor(size),
            self.update,
            size,
        )

    def _graph_step(self, size: int) -> GraphStep:
        assert self.gradient is not None
        return GraphStep(
            self.network,
            self.views,
            self.layout.views(self.gradient),
            self.fixed,
            self.loss,
            self.loss.factor(size),
            self.update,
            size,
        )

    def _scalar(self, device: torch.device) -> torch.Tensor:
        """Where a step finds its learning rate; the fused kernels on CUDA read float32 only."""
        dtype = torch.float32 if device.type == "cuda" else self.layout.dtype
        return torch.zeros((), dtype=dtype, device=device)

    def _slots(self, slots: Slots | None) -> dict[str, torch.Tensor]:
        """The optimizer's vectors; zeros for a fresh optimizer."""
        names = slot_names(self.plan.optimizer)
        if slots is None:
            return {name: self.layout.zeros() for name in names}
        return {name: self.layout.pack(slots.values[name]) for name in names}

    def _update_calls(self) -> list[Call]:
        if self.gradient is None:
            return []
        limit = self.plan.clip_norm
        clip = [] if limit is None else clip_calls(self.gradient, limit)
        update = update_calls(
            self.plan.optimizer, self.weights, self.gradient, self.slots, self.rate, self.updates
        )
        return [*clip, *update]


@contextmanager
def _computing(device: torch.device, macs: int, network: Network) -> Iterator[None]:
    """Repeatable, and without autograd; macs: of one batch.

    What a step by autograd keeps cannot be made in inference mode.
    """
    without = torch.inference_mode() if is_dense_chain(network) else torch.no_grad()
    with repeatable(device, macs), without:
        yield
