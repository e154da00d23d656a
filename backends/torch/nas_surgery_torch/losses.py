"""Losses of logits, transposed: classes or outputs first, as the last linear layer leaves them.

A loss takes (outputs, batch); targets and logits of several steps are (steps, outputs, batch).
"""

from functools import partial

import torch

from nas_surgery.network import Array
from nas_surgery_torch.layers import Call


class CrossEntropy:
    """Mean cross-entropy of the softmax over a batch; labels are class indices."""

    def __init__(self, outputs: int, dtype: torch.dtype) -> None:
        self.outputs, self.dtype = outputs, dtype

    def targets(self, y: torch.Tensor) -> torch.Tensor:
        """One-hot targets of labels `y` (steps, batch)."""
        classes = torch.arange(self.outputs, device=y.device)
        return (y.unsqueeze(1) == classes.unsqueeze(1)).to(self.dtype)

    def prediction(self, logits: torch.Tensor, out: torch.Tensor) -> list[Call]:
        """Calls that leave in `out` what the gradient compares with the target."""
        return [partial(torch.softmax, logits, 0, out=out)]

    def factor(self, batch: int) -> float:
        """The gradient by the logits, divided by (prediction - target)."""
        return 1 / batch

    def losses(self, logits: torch.Tensor, y: torch.Tensor) -> Array:
        """Mean loss of each step, (steps,), in float64."""
        wide = logits.cpu().double()
        right = wide.gather(1, y.cpu().unsqueeze(1)).squeeze(1)
        return (torch.logsumexp(wide, 1) - right).mean(1).numpy()


class MeanSquaredError:
    """Mean squared error over outputs and batch; labels are regression targets (..., outputs)."""

    def __init__(self, outputs: int, dtype: torch.dtype) -> None:
        self.outputs, self.dtype = outputs, dtype

    def targets(self, y: torch.Tensor) -> torch.Tensor:
        """Targets of labels `y` (steps, batch, outputs)."""
        return y.transpose(1, 2).to(self.dtype).contiguous()

    def prediction(self, logits: torch.Tensor, out: torch.Tensor) -> list[Call]:
        return [partial(out.copy_, logits)]

    def factor(self, batch: int) -> float:
        return 2 / (batch * self.outputs)

    def losses(self, logits: torch.Tensor, y: torch.Tensor) -> Array:
        difference = logits.cpu().double() - self.targets(y).cpu().double()
        return difference.square().mean((1, 2)).numpy()


Loss = CrossEntropy | MeanSquaredError

LOSSES: dict[str, type[Loss]] = {
    "cross_entropy": CrossEntropy,
    "mean_squared_error": MeanSquaredError,
}
