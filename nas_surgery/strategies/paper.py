"""Algorithm 1, the Surgeon, with the settings of the paper's appendix.

Schiessler, Aydin, Linka, Cyron: Neural network surgery: Combining training with topology
optimization, Neural Networks 144 (2021) 384-393, section 3.3.
"""

from collections.abc import Generator, Sequence
from math import isfinite, nan
from typing import Any, ClassVar

import attrs

from nas_surgery.analysis.spectra import EPSILON_ABSOLUTE, EPSILON_RELATIVE
from nas_surgery.network import Shape, keyed_generator
from nas_surgery.strategies.jobs import Job, Outcome, Round
from nas_surgery.strategies.recommender import IDENTITY, MODES, Candidate, allowed, choose, rank
from nas_surgery.strategies.stopping import OSCILLATION, PATIENCE, returns, stale
from nas_surgery.strategies.strategy import (
    JobFactory,
    Search,
    Setting,
    Strategy,
    candidate_score,
    moved,
)
from nas_surgery.validators import number, one_of, optional, whole


@attrs.frozen
class PaperStrategy(Strategy):
    """The genetic algorithm of the paper.

    initial_epochs: before the first decision. epoch_step: between decisions. branches: networks kept
    at each decision. redraws: further tries of a decision whose branches all fell behind.
    retraining_batches: of a candidate before it is scored, times its operation's multiplier, and
    never beyond the epoch step. memory: keep a branch only if it is at least as accurate as the best
    of the decision before. mode, top_n, random_draw: how candidates are chosen. epsilon_relative ε₁,
    epsilon_absolute ε₂: thresholds of eq. 13.

    Off unless they are given, and then the search may end before `max_epochs`. oscillation: how many
    changes in a row of the best branch's topology lead back to a near-identical state of before (section
    4.2, Fig. 5). patience: decisions in a row behind which no branch is more accurate than all before;
    the most accurate network of all is the winner then.
    """

    # with others, built in or installed, the same spec would be another experiment
    draws: ClassVar[tuple[str, ...] | None] = (
        "identity",
        "add_neurons",
        "add_layer",
        "remove_neurons",
        "remove_layer",
        "truncated_svd",
    )
    as_in_paper: ClassVar[bool] = True

    initial_epochs: int = attrs.field(default=10, validator=whole(1))
    epoch_step: int = attrs.field(default=10, validator=whole(1))
    branches: int = attrs.field(default=2, validator=whole(1))
    redraws: int = attrs.field(default=2, validator=whole(0))
    retraining_batches: int = attrs.field(default=25, validator=whole(0))
    memory: bool = True
    mode: str = attrs.field(default=MODES[0], validator=one_of(*MODES))
    top_n: int = attrs.field(default=5, validator=whole(1))
    random_draw: bool = True
    epsilon_relative: float = attrs.field(default=EPSILON_RELATIVE, validator=number(minimum=0))
    epsilon_absolute: float = attrs.field(default=EPSILON_ABSOLUTE, validator=number(minimum=0))
    oscillation: int | None = attrs.field(default=None, validator=optional(whole(1)))
    patience: int | None = attrs.field(default=None, validator=optional(whole(1)))

    def search(self, setting: Setting) -> Search:
        return _Surgeon(self, setting).run()


@attrs.frozen(eq=False)
class Branch:
    """A network that competes. excluded: addresses in it of the layers that surgery leaves alone.

    candidate: what it was made by in this decision, None before the first. past: widths of its ancestors
    behind each decision.
    """

    outcome: Outcome
    excluded: tuple[int, ...]
    candidate: Candidate | None = None
    past: tuple[Shape, ...] = ()

    @property
    def id(self) -> int:
        return self.outcome.job

    @property
    def accuracy(self) -> float:
        return self.outcome.accuracy

    @property
    def states(self) -> tuple[Shape, ...]:
        """Widths of its ancestors and its own."""
        return (*self.past, self.outcome.network.hidden)


Steps = Generator[Round, list[Outcome], list[Branch]]


class _Surgeon:
    """One search. Its methods are the lines of Algorithm 1."""

    def __init__(self, settings: PaperStrategy, setting: Setting) -> None:
        self.settings, self.setting = settings, setting
        self.jobs = JobFactory()
        self.peak: Branch | None = None  # the most accurate of all, where there is patience
        self.accuracies: list[float] = []

    def run(self) -> Search:
        end = min(self.settings.initial_epochs, self.setting.max_epochs)
        first = self._job(None, end * self.setting.steps_per_epoch, "pretrain")
        outcomes = yield Round((first,), decision={"epoch": 0, "event": "pre-training"})
        branches = [Branch(o, self.setting.limits.exclude) for o in outcomes if not o.failed]
        while branches and end < self.setting.max_epochs and not self._target_reached(branches):
            if ending := self._ending(branches):
                decision = {"epoch": end, "event": "stopped early", "stopped": ending}
                yield attrs.evolve(self._round([], branches, decision), ending=ending)
                break
            start, end = end, min(end + self.settings.epoch_step, self.setting.max_epochs)
            following = yield from self._decide(branches, start, end)
            if not following:
                break
            branches = following
        return best(self._with_peak(branches)).id if branches else first.id

    def _ending(self, branches: list[Branch]) -> str | None:
        """Why the search ends here, though epochs are left."""
        settings, known = self.settings, best(branches)
        self.accuracies.append(known.accuracy)
        if settings.patience:
            self.peak = best(self._with_peak(branches))
        if settings.oscillation and returns(known.states) >= settings.oscillation:
            return OSCILLATION
        if settings.patience and stale(self.accuracies) >= settings.patience:
            return PATIENCE
        return None

    def _with_peak(self, branches: Sequence[Branch]) -> list[Branch]:
        return [*branches, *([] if self.peak is None else [self.peak])]

    def _decide(self, branches: list[Branch], start: int, end: int) -> Steps:
        """One pass of the outer loop: candidates, tries, and the branches that go on."""
        pool = self._pool(branches)
        tried: list[Candidate] = []
        trained: list[Branch] = []
        for attempt in range(1 + self.settings.redraws):
            chosen = self._draw(pool, tried, start, attempt)
            if not chosen:
                break
            tried += chosen
            spare = _unchanged(branches, trained)
            finished = yield from self._try(branches, spare, pool, chosen, (start, end, attempt))
            trained += finished
            kept = [branch for branch in finished if self._remembered(branch, branches)]
            if kept:
                return kept
        return (yield from self._go_on(branches, trained, end))

    def _pool(self, branches: Sequence[Branch]) -> list[Candidate]:
        """Everything proposed for any branch, best first."""
        found: list[Candidate] = []
        for branch in branches:
            limits = attrs.evolve(self.setting.limits, exclude=branch.excluded)
            proposed = branch.outcome.proposals
            found += [c for c in proposed if allowed(c, branch.outcome.network, limits)]
        return rank(found)

    def _draw(
        self, pool: list[Candidate], tried: list[Candidate], epoch: int, attempt: int
    ) -> list[Candidate]:
        """The candidates of one try; none is left once all have been tried."""
        generator = keyed_generator(self.setting.seed, "draw", epoch, attempt)
        return choose(
            pool,
            tried,
            mode=self.settings.mode,
            count=self.settings.top_n,
            generator=generator if self.settings.random_draw else None,
        )

    def _try(
        self,
        branches: list[Branch],
        spare: list[Branch],
        pool: list[Candidate],
        chosen: list[Candidate],
        place: tuple[int, int, int],
    ) -> Steps:
        """Operate and retrain, keep the best by score, train those to the full epoch step.

        spare: from an earlier try, to be kept for the case that this one falls behind too.
        """
        start, end, attempt = place
        where: dict[str, Any] = {"epoch": start, "try": attempt}
        jobs = [self._retraining(candidate, branches, end) for candidate in chosen]
        proposals = describe(pool, chosen, jobs)
        held = [*branches, *spare]
        retrained = yield self._round(jobs, held, {**where, "proposals": proposals})
        scored = self._score(branches, chosen, retrained)
        selected = [branch for score, branch in scored if isfinite(score)][: self.settings.branches]
        scores = {str(branch.id): score for score, branch in scored}
        jobs = [self._continuation(branch, end) for branch in selected]
        decision = {**where, "scores": scores, "selected": [branch.id for branch in selected]}
        outcomes = yield self._round(jobs, [*held, *selected], decision)
        pairs = zip(selected, outcomes, strict=True)
        return [attrs.evolve(branch, outcome=o) for branch, o in pairs if not o.failed]

    def _retraining(self, candidate: Candidate, branches: list[Branch], end: int) -> Job:
        """Operate on the branch and train the result for a small number of batches."""
        batches = self.settings.retraining_batches * candidate.operation.retraining
        left = self._steps_left(_find(branches, candidate.branch), end)
        return self.jobs.make(
            candidate.branch, min(batches, left), "candidate", (candidate.operation,)
        )

    def _continuation(self, branch: Branch, end: int) -> Job:
        """Train the branch up to epoch `end`."""
        return self._job(branch.id, self._steps_left(branch, end), "branch")

    def _job(self, parent: int | None, steps: int, purpose: str) -> Job:
        """A job behind which the recommendation module analyses the network."""
        thresholds = (self.settings.epsilon_relative, self.settings.epsilon_absolute)
        return attrs.evolve(self.jobs.make(parent, steps, purpose), thresholds=thresholds)

    def _steps_left(self, branch: Branch, end: int) -> int:
        return end * self.setting.steps_per_epoch - branch.outcome.step

    def _score(
        self, branches: list[Branch], chosen: list[Candidate], retrained: list[Outcome]
    ) -> list[tuple[float, Branch]]:
        """Scores against the parents at the decision point, best first (eq. 16).

        A candidate that failed has none; one whose layers to be left alone were changed never wins.
        """
        scored: list[tuple[float, Branch]] = []
        for candidate, outcome in zip(chosen, retrained, strict=True):
            if outcome.failed:
                continue
            parent = _find(branches, candidate.branch)
            excluded = moved(parent.excluded, outcome)
            branch = Branch(outcome, excluded or (), candidate, parent.states)
            score = candidate_score(self.setting, outcome, parent.outcome)
            scored.append((nan if excluded is None else score, branch))
        return sorted(scored, key=lambda item: -item[0] if isfinite(item[0]) else float("inf"))

    def _remembered(self, branch: Branch, previous: list[Branch]) -> bool:
        """One-cycle memory: at least as accurate as the best branch of the decision before."""
        return not self.settings.memory or branch.accuracy >= best(previous).accuracy

    def _go_on(self, branches: list[Branch], trained: list[Branch], end: int) -> Steps:
        """Every try fell behind: the best known branch goes on without surgery.

        Where it was among the selected, unchanged, it has been trained to the epoch step already.
        """
        if spare := _unchanged(branches, trained):
            return spare
        known = best(branches)
        job = self._continuation(known, end)
        decision = {"epoch": end, "event": "every try fell behind", "selected": [known.id]}
        outcomes = yield self._round([job], branches, decision)
        return [attrs.evolve(known, outcome=o, past=known.states) for o in outcomes if not o.failed]

    def _round(self, jobs: list[Job], needed: list[Branch], decision: dict[str, Any]) -> Round:
        needed = self._with_peak(needed)
        live = tuple(branch.id for branch in needed)
        return Round(tuple(jobs), live, best(needed).id, decision)

    def _target_reached(self, branches: list[Branch]) -> bool:
        target = self.setting.target_accuracy
        return target is not None and best(branches).accuracy >= target


def best(branches: Sequence[Branch]) -> Branch:
    """The most accurate branch; of equals the one with fewer parameters, then the first."""
    return min(branches, key=lambda b: (-b.accuracy, b.outcome.parameters, b.id))


def describe(
    pool: Sequence[Candidate], chosen: Sequence[Candidate], jobs: Sequence[Job]
) -> list[dict[str, Any]]:
    """The ranked proposals with their two criteria, and the job of each that was chosen."""
    taken = {id(candidate): job.id for candidate, job in zip(chosen, jobs, strict=True)}
    return [{"branch": c.branch, **c.to_json(), "job": taken.get(id(c))} for c in pool]


def _find(branches: Sequence[Branch], job: int) -> Branch:
    return next(branch for branch in branches if branch.id == job)


def _unchanged(branches: Sequence[Branch], trained: Sequence[Branch]) -> list[Branch]:
    """The best of the branches, where a try has trained it on without surgery; else nothing."""
    known = best(branches).id
    return [
        branch
        for branch in trained
        if branch.candidate is not None
        and branch.candidate.branch == known
        and branch.candidate.operation.name == IDENTITY
    ]
