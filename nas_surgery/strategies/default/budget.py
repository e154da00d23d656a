"""What training costs, and the cap that a search keeps. Costs are multiply-accumulates of training."""

from collections.abc import Iterable

import attrs

from nas_surgery.strategies.jobs import PASSES
from nas_surgery.strategies.strategy import Setting

SPARE = (
    1.25  # a budget below this much of the winner's training shortens it, to leave room for races
)


@attrs.frozen
class Budget:
    """A search may spend `max_cost` times what it costs to train its winner for `max_epochs`.

    So the size of the winner sets the limit: whoever may win must be large enough for what has been
    spent. samples: of one epoch.
    """

    max_cost: float
    samples: int
    steps_per_epoch: int
    max_epochs: int

    @classmethod
    def of(cls, setting: Setting, max_cost: float) -> "Budget":
        """The budget of a search."""
        return cls(max_cost, setting.training_samples, setting.steps_per_epoch, setting.max_epochs)

    @property
    def training_steps(self) -> int:
        """How long the winner is to be trained: `max_epochs`, or less on a small budget."""
        share = min(1.0, self.max_cost / SPARE)
        return max(1, int(share * self.max_epochs * self.steps_per_epoch))

    def price(self, macs: int, steps: int) -> int:
        """What a network of so many forward `macs` costs to train for `steps` batches.

        Exact for whole epochs; otherwise an upper bound, because the last batch of an epoch may be
        smaller than the others.
        """
        epochs, rest = divmod(max(steps, 0), self.steps_per_epoch)
        batch = -(-self.samples // max(1, self.steps_per_epoch - 1))
        return PASSES * macs * (epochs * self.samples + min(rest * batch, self.samples))

    def limit(self, macs: int) -> int:
        """The most that a search may spend whose winner has so many forward `macs`."""
        return int(self.max_cost * PASSES * macs * self.samples * self.max_epochs)

    def affords(
        self, spent: int, jobs: Iterable[tuple[int, int]], smallest: int, rest: int = 0
    ) -> bool:
        """Whether jobs, as (macs, steps), leave a winner of `smallest` macs within its limit.

        rest: steps that this winner is still to be trained afterwards.
        """
        planned = sum(self.price(macs, steps) for macs, steps in jobs)
        return spent + planned + self.price(smallest, rest) <= self.limit(smallest)

    def steps(self, spent: int, macs: int, wanted: int) -> int:
        """How many of the `wanted` steps a network may be trained alone, if it is to win."""
        low, high = 0, max(wanted, 0)
        while low < high:
            middle = (low + high + 1) // 2
            if self.affords(spent, [(macs, middle)], macs):
                low = middle
            else:
                high = middle - 1
        return low
