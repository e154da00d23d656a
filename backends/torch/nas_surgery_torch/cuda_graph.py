"""A training step as one CUDA graph: a small network's step is bound by launches, not arithmetic.

All that differs between steps is read at a position that the graph itself moves on. Dropout masks
come from the host before each replay, and logits are kept behind it.
"""

import torch

from nas_surgery_torch.graph_step import GraphStep
from nas_surgery_torch.step import Step
from nas_surgery_torch.stretches import Stretch

MIN_STEPS = 64  # capturing takes some milliseconds; not tuned on a device yet


def pays(device: torch.device, steps: int) -> bool:
    """Whether to capture for a stretch of so many steps."""
    return device.type == "cuda" and steps >= MIN_STEPS


class GraphedStep:
    """Runs a step on stretches of at most `capacity` batches of its size.

    x: (N, ...), all inputs; rate: the scalar that the step reads its learning rate from.
    """

    def __init__(
        self, step: Step | GraphStep, x: torch.Tensor, rate: torch.Tensor, seed: int, capacity: int
    ) -> None:
        self.step, self.x, self.rate, self.seed = step, x, rate, seed
        outputs, batch = step.logits.shape
        self.indices = torch.zeros(capacity, batch, dtype=torch.int64, device=x.device)
        self.targets = step.logits.new_zeros(capacity, outputs, batch)
        self.rates = rate.new_zeros(capacity)
        self.position = torch.zeros(1, dtype=torch.int64, device=x.device)
        self.graph: torch.cuda.CUDAGraph | None = None

    def run(self, stretch: Stretch) -> None:
        """Train on the batches and fill their logits."""
        count = len(stretch)
        self.indices[:count].copy_(stretch.indices)
        self.targets[:count].copy_(stretch.targets)
        self.rates[:count].copy_(stretch.rates)
        self.position.zero_()
        for number, kept in enumerate(stretch.logits.unbind(), stretch.first):
            self.step.masks.draw(self.seed, number)
            self.once()
            kept.copy_(self.step.logits)

    def once(self) -> None:
        """Replay one step; the very first is run as it is, which warms up what capturing needs."""
        if self.graph is not None:
            self.graph.replay()
            return
        with torch.cuda.device(self.x.device):
            side = torch.cuda.Stream()  # type: ignore[no-untyped-call]
            side.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(side):
                self.work()
            torch.cuda.current_stream().wait_stream(side)
            self.graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(self.graph):  # records the work without doing it
                self.work()

    def work(self) -> None:
        """One step at the position, which moves on."""
        self.rate.copy_(self.rates.index_select(0, self.position).squeeze(0))
        indices = self.indices.index_select(0, self.position).squeeze(0)
        torch.index_select(self.x, 0, indices, out=self.step.x)
        self.step.run(self.targets.index_select(0, self.position).squeeze(0))
        self.position.add_(1)
