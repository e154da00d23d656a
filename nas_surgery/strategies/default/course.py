"""Where a default search stands: the network that goes on, which is the best one, and what was spent."""

from collections.abc import Generator, Sequence
from math import inf, isfinite, log2
from typing import Any

import attrs

from nas_surgery.operations import Operation
from nas_surgery.strategies.default.budget import Budget
from nas_surgery.strategies.jobs import Job, Outcome, Round
from nas_surgery.strategies.strategy import JobFactory, Setting

Answers = Generator[Round, list[Outcome], list[Outcome]]
Steps = Generator[Round, list[Outcome], None]


@attrs.frozen(eq=False)
class Head:
    """A trained network. excluded: addresses in it of the layers that surgery leaves alone."""

    outcome: Outcome
    excluded: tuple[int, ...]

    @property
    def macs(self) -> int:
        """Forward multiply-accumulates for one sample."""
        return self.outcome.network.macs


class Course:
    """One search in progress. Everything that it trains goes through `ask`, which keeps the accounts.

    price: nats for each doubling of parameters. regret: share of the loss by which a network must be
    worse than the one it comes from to be taken back. patience: how often in a row. backoff: factor of
    the learning rate then, and where training diverged. total: steps that the winner trains at most.
    """

    def __init__(
        self,
        setting: Setting,
        budget: Budget,
        price: float,
        regret: float,
        patience: int,
        backoff: float,
    ) -> None:
        self.setting, self.budget, self.price = setting, budget, price
        self.regret, self.patience, self.backoff = regret, patience, backoff
        self.total = budget.training_steps
        self.jobs = JobFactory()
        self.spent, self.rate, self.taken_back = 0, 1.0, 0
        self.head: Head | None = None

    @property
    def place(self) -> Head:
        """The network that goes on, once there is one."""
        assert self.head is not None
        return self.head

    @property
    def step(self) -> int:
        """The place of what goes on in the order of batches."""
        return 0 if self.head is None else self.head.outcome.step

    @property
    def finished(self) -> bool:
        """Whether the network is trained to the end, is as accurate as was asked for, or only worsens."""
        target = self.setting.target_accuracy
        reached = target is not None and self.place.outcome.accuracy >= target
        return self.step >= self.total or reached or self.taken_back >= self.patience

    def steps(self, share: float, least: int = 1) -> int:
        """A share of the training length in batches."""
        return max(least, round(share * self.total))

    def job(
        self,
        parent: int | None,
        steps: int,
        purpose: str,
        operations: tuple[Operation, ...] = (),
        factor: float = 1.0,
        average: int = 0,
    ) -> Job:
        """The next job, at the current learning rate times `factor`."""
        job = self.jobs.make(parent, steps, purpose, operations)
        return attrs.evolve(job, rate=self.rate * factor, average=average)

    def ask(
        self, jobs: Sequence[Job], decision: dict[str, Any], needed: Sequence[Head] = ()
    ) -> Answers:
        """Have the jobs carried out, and book what they cost.

        needed: networks that are still asked for afterwards.
        """
        held = [head for head in (self.head, *needed) if head is not None]
        live = tuple(dict.fromkeys(head.outcome.job for head in held))
        best = None if self.head is None else self.head.outcome.job
        epoch = round(self.step / self.setting.steps_per_epoch, 3)
        outcomes = yield Round(tuple(jobs), live, best, {"epoch": epoch, **decision})
        self.spent += sum(outcome.cost.training_macs for outcome in outcomes)
        return outcomes

    def note(self, decision: dict[str, Any], needed: Sequence[Head] = ()) -> Steps:
        """Journal a decision that asks for nothing."""
        yield from self.ask((), decision, needed)

    def value(self, outcome: Outcome, price: float | None = None) -> float:
        """Validation loss plus the price of the size, in nats; infinite for what can never win."""
        if outcome.failed or not isfinite(outcome.loss):
            return inf
        doublings = log2(outcome.parameters / self.setting.network.parameter_count)
        return outcome.loss + (self.price if price is None else price) * doublings

    def heir(self, parent: Head | None, outcome: Outcome) -> Head | None:
        """The network behind an outcome, if it is valid and the excluded layers were left alone."""
        if self.value(outcome) == inf:
            return None
        excluded = self.setting.limits.exclude if parent is None else parent.excluded
        if not outcome.origins:
            return Head(outcome, excluded)
        if any(address not in outcome.origins for address in excluded):
            return None
        return Head(outcome, tuple(outcome.origins.index(address) for address in excluded))

    def go_on_with(self, head: Head) -> bool:
        """Go on with this network, unless it is clearly worse than the one before; whether it is not.

        Then training is too fast for what there is to learn, and goes on from before at a lower rate.
        """
        if self.head is not None and self._beats(self.head.outcome, head.outcome):
            self.taken_back += 1
            self.slow_down()
            return False
        self.head, self.taken_back = head, 0
        return True

    def slow_down(self) -> None:
        """Lower the learning rate of everything that follows."""
        self.rate *= self.backoff

    def _beats(self, old: Outcome, new: Outcome) -> bool:
        margin = self.regret * abs(new.loss)
        return self.value(old) < self.value(new) - margin and old.accuracy >= new.accuracy
