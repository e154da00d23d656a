"""The front of validation loss against parameters, over every network that a search trained."""

import attrs

from nas_surgery.strategies.jobs import Outcome


@attrs.frozen(eq=False)
class Front:
    """Outcomes of which none is both larger and no better than another, smallest first."""

    outcomes: tuple[Outcome, ...] = ()

    def add(self, outcome: Outcome) -> "Front":
        """The front with the outcome, if it belongs there, and without those that it beats."""
        if outcome.failed or any(_covers(other, outcome) for other in self.outcomes):
            return self
        kept = [other for other in self.outcomes if not _covers(outcome, other)]
        kept.append(outcome)
        return Front(tuple(sorted(kept, key=lambda o: o.parameters)))


def _covers(a: Outcome, b: Outcome) -> bool:
    """Whether `a` is at most as large as `b` and at least as good."""
    return a.parameters <= b.parameters and a.loss <= b.loss
