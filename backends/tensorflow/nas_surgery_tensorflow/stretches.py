"""A plan cut into stretches, each of which one call trains."""

from collections.abc import Iterator

import attrs
import numpy as np

from nas_surgery.network import Array, Dropout, Network, keyed_generator
from nas_surgery.training.plans import TrainingPlan

HELD = 2**24
"""Most samples, or values of dropout masks, that a stretch holds."""


@attrs.frozen(eq=False)
class Stretch:
    """Consecutive steps of one epoch.

    first: place of the first one in the plan. order: (S, B) indices of samples; a batch of fewer than
    B is filled up with its last one. counts: (S,), the true sizes of the batches.
    """

    first: int
    order: Array
    counts: Array

    def __len__(self) -> int:
        return len(self.order)

    @property
    def shares(self) -> Array:
        """What each sample counts in the mean over its batch, (S, B); 0 for those filled in."""
        real = np.arange(self.order.shape[1]) < self.counts[:, None]
        shares: Array = real / self.counts[:, None]
        return shares

    def mean_losses(self, losses: Array) -> Array:
        """(S,) in float64 from the loss of every sample, (S, B)."""
        real = self.shares > 0
        total: Array = np.where(real, losses, 0).sum(axis=1, dtype=np.float64)
        return total / self.counts


def stretches(part: Array, batch: int, done: int, capacity: int, cut: float) -> Iterator[Stretch]:
    """The batches of a part of a plan's order in turn, at most `capacity` at once.

    done: steps of the plan before it. The plan's step `cut` begins a stretch.
    """
    steps, step = -(-len(part) // batch), 0
    while step < steps:
        room = cut - done - step
        count = int(min(capacity, steps - step, room if room > 0 else capacity))
        yield _stretch(part[step * batch : (step + count) * batch], batch, done + step)
        step += count


def even_stretches(
    part: Array, size: int, done: int, capacity: int, cut: float
) -> Iterator[Stretch]:
    """The same where no batch is filled up: those of a stretch are of one size."""
    whole = len(part) // size
    yield from stretches(part[: whole * size], size, done, capacity, cut)
    rest = part[whole * size :]
    yield from stretches(rest, max(1, len(rest)), done + whole, capacity, cut)


def batch_rows(plan: TrainingPlan, samples: int) -> int:
    """Samples of a full batch; no more than there are."""
    return min(plan.batch_size, max(samples, *map(len, plan.order), 1))


def capacity(network: Network, samples: int, batch: int) -> int:
    """Most steps of a stretch: those of an epoch, unless the dropout masks grow too large."""
    masks = sum(int(np.prod(shape)) for _, _, shape in dropouts(network))
    return max(1, min(-(-samples // batch), HELD // (batch * max(1, masks))))


def dropouts(network: Network) -> list[tuple[int, float, tuple[int, ...]]]:
    """Address, rate and shape of one sample's mask of each Dropout."""
    return [
        (address, layer.rate, shape)
        for address, (layer, shape) in enumerate(
            zip(network.layers, network.shapes[1:], strict=True)
        )
        if isinstance(layer, Dropout)
    ]


def dropout_masks(network: Network, stretch: Stretch, seed: int, start: int) -> list[Array]:
    """What each Dropout keeps, (S, B, ...) bool: the same masks as the NumPy backend's.

    start: position of the plan's first step in the order of batches.
    """
    masks = []
    for address, rate, shape in dropouts(network):
        kept = np.zeros((*stretch.order.shape, *shape), bool)
        for i, count in enumerate(stretch.counts):
            generator = keyed_generator(seed, "dropout", start + stretch.first + i, address)
            kept[i, :count] = generator.random((count, *shape)) >= rate
        masks.append(kept)
    return masks


def _stretch(indices: Array, batch: int, first: int) -> Stretch:
    steps = -(-len(indices) // batch)
    places = np.arange(steps * batch)
    order = indices[np.minimum(places, len(indices) - 1)].reshape(steps, batch)
    counts = np.minimum(len(indices) - batch * np.arange(steps), batch)
    return Stretch(first, order, counts)
