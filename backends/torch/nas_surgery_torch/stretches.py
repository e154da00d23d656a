"""A plan cut into stretches: consecutive batches of one size."""

from collections.abc import Iterator

import attrs
import torch

from nas_surgery.network import Array
from nas_surgery.training.plans import TrainingPlan


@attrs.frozen(eq=False)
class Stretch:
    """What consecutive batches of one size need, as tensors with the steps first.

    first: step of the run. indices: of the samples, (steps, batch). targets, logits (to be filled):
    (steps, outputs, batch). rates: (steps,).
    """

    first: int
    indices: torch.Tensor
    targets: torch.Tensor
    rates: torch.Tensor
    logits: torch.Tensor

    def __len__(self) -> int:
        return len(self.indices)

    def __iter__(self) -> Iterator[tuple[torch.Tensor, ...]]:
        """Views of the steps, made at once: cheaper than one at a time."""
        parts = (self.indices, self.targets, self.rates, self.logits)
        return zip(*(part.unbind() for part in parts), strict=True)


def stretches(plan: TrainingPlan, most: int) -> Iterator[Array]:
    """The plan cut into batches of one size: index arrays (steps, batch) of at most `most` steps."""
    size = plan.batch_size
    for part in plan.order:
        whole = len(part) // size
        rows = part[: whole * size].reshape(whole, size)
        for first in range(0, whole, most):
            yield rows[first : first + most]
        if len(part) % size:
            yield part[whole * size :][None]
