"""Where a default search stands: the network that goes on, which is the best one, and what was spent."""

from collections.abc import Generator, Sequence
from math import inf, isfinite, log2, sqrt
from typing import Any

import attrs

from nas_surgery.operations import Operation
from nas_surgery.strategies.default.budget import Budget
from nas_surgery.strategies.default.settings import DefaultSettings
from nas_surgery.strategies.jobs import Job, Outcome, Round
from nas_surgery.strategies.strategy import JobFactory, Setting, moved

PARTS = 20  # of the validation samples: as many differences tell a standard error to a sixth
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

    total: steps that the winner trains at most. stale: looks in a row that found nothing better.
    """

    def __init__(
        self,
        setting: Setting,
        budget: Budget,
        settings: DefaultSettings,
    ) -> None:
        self.setting, self.budget, self.price = setting, budget, settings.price
        self.doubt = settings.doubt
        self.regret, self.stamina = settings.regret, settings.stamina
        self.firmer, self.firmest = settings.firmer, settings.firmest
        self.patience, self.backoff = settings.patience, settings.backoff
        self.total = budget.training_steps
        self.jobs = JobFactory()
        self.spent, self.rate, self.decay = 0, 1.0, 1.0
        self.stale = self.taken_back = 0
        self.head: Head | None = None
        self.best: Head | None = None

    @property
    def place(self) -> Head:
        """The network that goes on, once there is one."""
        assert self.head is not None
        return self.head

    @property
    def winner(self) -> Head:
        """The network that goes on, unless an earlier one was better; clearly so, where losses may swing."""
        assert self.best is not None
        margin = 0.0 if self.decays else self.regret
        earlier = self._beats(self.best.outcome, self.place.outcome, None, margin)
        return self.best if earlier else self.place

    @property
    def step(self) -> int:
        """The place of what goes on in the order of batches."""
        return 0 if self.head is None else self.head.outcome.step

    @property
    def finished(self) -> bool:
        """Whether the network is trained to the end, is as accurate as was asked for, or only worsens."""
        return self.step >= self.total or self.reached or self.impatient

    @property
    def reached(self) -> bool:
        """Whether the network is as accurate as was asked for."""
        return self.reaches(self.place.outcome)

    def reaches(self, outcome: Outcome) -> bool:
        """Whether an outcome is as accurate as was asked for."""
        target = self.setting.target_accuracy
        return target is not None and outcome.accuracy >= target

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
        """The next job, at the current learning rate times `factor`, and the current weight decay."""
        job = self.jobs.make(parent, steps, purpose, operations)
        parts = PARTS if self.decays else 0
        rate, decay = self.rate * factor, self.decay
        return attrs.evolve(job, rate=rate, decay=decay, average=average, parts=parts)

    @property
    def impatient(self) -> bool:
        """Whether training was taken back so often that the search ends."""
        return self.taken_back >= self.patience

    def ask(
        self,
        jobs: Sequence[Job],
        decision: dict[str, Any],
        needed: Sequence[Head] = (),
        ending: str | None = None,
    ) -> Answers:
        """Have the jobs carried out, and book what they cost.

        needed: networks that are still asked for afterwards. ending: why the search ends early.
        """
        held = [head for head in (self.best, self.head, *needed) if head is not None]
        live = tuple(dict.fromkeys(head.outcome.job for head in held))
        best = None if self.best is None else self.best.outcome.job
        epoch = round(self.step / self.setting.steps_per_epoch, 3)
        outcomes = yield Round(tuple(jobs), live, best, {"epoch": epoch, **decision}, ending)
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
        kept = moved(excluded, outcome)
        return None if kept is None else Head(outcome, kept)

    def go_on_with(self, head: Head, price: float | None = None) -> bool:
        """Go on with this network, unless training has led astray; whether it has not.

        price: at which it is held against the best so far.
        """
        best = self.best
        if best is None or self._replaces(best.outcome, head.outcome, price):
            self.head = self.best = head
            self.stale = self.taken_back = 0
            return True
        worse = self._beats(best.outcome, head.outcome, price, 0.0)
        self.stale = self.stale + 1 if worse else 0
        if not self._astray(best.outcome, head.outcome, price):
            self.head = head
            return True
        self._go_back(best, head)
        return False

    def settle_on(self, head: Head) -> None:
        """Go on with this network, whatever it is worth."""
        self.head = self.best = head

    def _replaces(self, best: Outcome, new: Outcome, price: float | None) -> bool:
        """Whether the new network is the best, by what it is worth, or because a race has chosen its size."""
        edited = new.parameters != best.parameters and not self._astray(best, new, price)
        return edited or self.value(new, price) <= self.value(best, price)

    def _astray(self, best: Outcome, new: Outcome, price: float | None) -> bool:
        """Whether training has worsened clearly, or for some time where weight decay can help."""
        if self.decays:
            return self.stale >= self.stamina
        return self._beats(best, new, price, self.regret)

    def _go_back(self, best: Head, head: Head) -> None:
        """To the best network: firmer where it overfits, and otherwise slower."""
        overfits = head.outcome.training_loss < best.outcome.training_loss
        if self.decays and overfits and self.decay < self.firmest:
            self.decay *= self.firmer
        else:
            self.slow_down()
            self.taken_back += 1
        self.head, self.stale = best, 0

    def slow_down(self) -> None:
        """Lower the learning rate of everything that follows."""
        self.rate *= self.backoff

    def _beats(self, old: Outcome, new: Outcome, price: float | None, margin: float) -> bool:
        """Whether the loss was lower before by this share and beyond doubt, and the accuracy no lower."""
        behind = self.value(new, price) - self.value(old, price)
        least = max(margin * abs(new.loss), self.doubt * standard_error(old, new))
        return behind > least and old.accuracy >= new.accuracy

    @property
    def decays(self) -> bool:
        """Whether there is a weight decay to be raised."""
        return self.setting.weight_decay > 0


def standard_error(old: Outcome, new: Outcome) -> float:
    """Of the difference of their losses, as far as the choice of validation samples goes; 0 if unknown."""
    if len(old.part_losses) < 2 or len(old.part_losses) != len(new.part_losses):
        return 0.0
    from statistics import stdev  # not at the top: it would cost every import of the package

    differences = [a - b for a, b in zip(old.part_losses, new.part_losses, strict=True)]
    return stdev(differences) / sqrt(len(differences))
