"""An epoch cut into stretches: consecutive batches of one size."""

from collections.abc import Iterator

import attrs
import torch

from nas_surgery.network import Array


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


def stretches(part: Array, size: int, most: int) -> Iterator[Array]:
    """A part of a plan's order, cut into batches of one size: indices (steps, batch), at most `most` steps."""
    whole = len(part) // size
    rows = part[: whole * size].reshape(whole, size)
    for first in range(0, whole, most):
        yield rows[first : first + most]
    if len(part) % size:
        yield part[whole * size :][None]
