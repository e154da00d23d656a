"""What a strategy is: a generator that asks for jobs and is told their outcomes, and nothing else."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator
from itertools import count
from math import nan
from typing import ClassVar

import attrs

from nas_surgery.analysis.scores import Score, call_score
from nas_surgery.errors import SpecError
from nas_surgery.network import Network
from nas_surgery.operations import Operation
from nas_surgery.strategies.jobs import Job, Operations, Outcome, Round
from nas_surgery.strategies.recommender import Limits

Search = Generator[Round, list[Outcome], int]


def raise_fault(name: str, error: BaseException) -> None:
    """The strictest answer to a plugin that raised."""
    raise error


@attrs.frozen(eq=False)
class Setting:
    """What a search is about, as far as decisions need it.

    network: the start. max_epochs: of the winner's training. steps_per_epoch: batches in one.
    training_samples: in one epoch. score_origin: the plugin that the score is from. weight_decay: of the
    optimizer. batch_size: in samples. spare_samples: of the validation part, that may be trained on once
    nothing is left to decide. report: told by name of a score that raised.
    """

    network: Network
    seed: int
    max_epochs: int
    steps_per_epoch: int
    training_samples: int
    operations: Operations
    score: Score
    score_name: str = "paper"
    score_origin: str = ""
    limits: Limits = attrs.Factory(Limits)
    target_accuracy: float | None = None
    weight_decay: float = 0.0
    batch_size: int = 16
    spare_samples: int = 0
    report: Callable[[str, BaseException], None] = raise_fault


def candidate_score(setting: Setting, candidate: Outcome, parent: Outcome) -> float:
    """The score of a retrained candidate against its parent at the decision point (eq. 16).

    NaN, which never wins, if a score from a plugin raises.
    """
    offer = {
        "accuracy": candidate.accuracy,
        "gain": candidate.accuracy - parent.accuracy,
        "size_fraction": candidate.parameters / parent.parameters,
        "loss": candidate.loss,
        "parameters": candidate.parameters,
        "macs": candidate.network.macs,
    }
    try:
        return call_score(setting.score, offer)
    except (Exception, SystemExit) as error:
        setting.report(setting.score_name, error)
        return nan


def moved(excluded: tuple[int, ...], outcome: Outcome) -> tuple[int, ...] | None:
    """Where layers to be left alone stand behind operations; None if these changed one of them."""
    if any(address not in outcome.origins for address in excluded):
        return None
    return tuple(outcome.origins.index(address) for address in excluded)


def refuse_beyond(limits: Limits, network: Network, what: str) -> None:
    """SpecError if a network is larger than the limits allow. what: "the start network has", say."""
    for key, size, limit in limits.excess(network):
        raise SpecError(f"search.{key}: {what} {size:,}, more than {limit:,}")


@attrs.frozen
class Strategy(ABC):
    """A search strategy. Its fields are its settings, the keys that `[search]` takes for it.

    A strategy is pure: the same outcomes lead to the same jobs. It touches no clock, disk, device or
    process, so a run can be replayed from its journal. judges_by_score: whether `search.score` is asked.
    draws: names of the operations that it draws from where the spec names none, by `search.operations` or
    by their file; None for all that are registered. uses: those that it can use at all; None for any that
    makes proposals. as_in_paper: whether training is as
    in the paper where a spec is silent, or chosen from the data.
    """

    judges_by_score: ClassVar[bool] = True
    draws: ClassVar[tuple[str, ...] | None] = None
    uses: ClassVar[tuple[str, ...] | None] = None
    as_in_paper: ClassVar[bool] = False

    def check(self, network: Network, limits: Limits, operations: Operations) -> None:
        """Raise a SpecError if the search cannot bring this start within the limits; here, if it is
        beyond them."""
        refuse_beyond(limits, network, "the start network has")

    @abstractmethod
    def search(self, setting: Setting) -> Search:
        """Yield rounds of jobs, receive their outcomes in the order of the jobs, and return the id of
        the job whose network is the winner."""


class JobFactory:
    """Numbers the jobs of one search."""

    def __init__(self) -> None:
        self._ids = count()

    def make(
        self, parent: int | None, steps: int, purpose: str, operations: tuple[Operation, ...] = ()
    ) -> Job:
        return Job(next(self._ids), parent, operations, steps, purpose)
