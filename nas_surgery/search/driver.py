"""The driver: runs a strategy's jobs, keeps the journal, the weights and the clock."""

from collections.abc import Callable, Sequence
from time import perf_counter
from typing import Any

import attrs

from nas_surgery.errors import SearchFailedError
from nas_surgery.preparation import Preparation
from nas_surgery.search.events import Event
from nas_surgery.search.executors import Executor
from nas_surgery.search.jobs import Cost, Job, Outcome, Round
from nas_surgery.search.journal import Journal
from nas_surgery.search.pareto import Front
from nas_surgery.search.strategy import Setting
from nas_surgery.training import TrainState

Observer = Callable[[Event], Any]


@attrs.frozen(eq=False)
class SearchResult:
    """The winner's outcome, its operations and its ancestors, the front, and what everything cost."""

    winner: Outcome
    operations: tuple[dict[str, Any], ...]
    lineage: tuple[int, ...]
    front: Front
    cost: Cost
    stopped: str


class Driver:
    """Carries out one search."""

    def __init__(
        self,
        preparation: Preparation,
        executor: Executor,
        journal: Journal,
        observers: Sequence[Observer] = (),
    ) -> None:
        self.preparation, self.executor, self.journal = preparation, executor, journal
        self._observers = observers
        self._began = perf_counter()
        self._jobs: dict[int, Job] = {}
        self._outcomes: dict[int, Outcome] = {}
        self._front = Front()
        self._cost = Cost()
        self._faults: list[dict[str, str]] = []

    @property
    def seconds(self) -> float:
        """Since the driver was made."""
        return perf_counter() - self._began

    def search(self) -> SearchResult:
        """Run the strategy to its end, or until time is up; SearchFailedError if no valid network came out."""
        generator = self.preparation.strategy.search(self._setting())
        current, winner, stopped = next(generator), None, "finished"
        while winner is None:
            outcomes = self._round(current)
            if len(outcomes) < len(current.jobs):
                winner, stopped = self._best_so_far(current), "max_seconds"
                break
            try:
                current = generator.send(outcomes)
            except StopIteration as end:
                winner = end.value
        return self._result(winner, stopped)

    def perform(self, job: Job) -> Outcome:
        """One job beside the search, such as the baseline: not part of its cost."""
        (outcome,) = self.executor.run([job], {}, self._job_started)
        self._tell("job_finished", self._job_data(job, outcome))
        return outcome

    def _setting(self) -> Setting:
        made, search = self.preparation, self.preparation.spec.search
        return Setting(
            network=made.network,
            seed=made.spec.seed,
            max_epochs=search.max_epochs,
            steps_per_epoch=made.steps_per_epoch,
            training_samples=len(made.splits.train),
            operations=made.registry.all("operations"),
            score=made.score,
            score_name=search.score,
            limits=made.limits,
            target_accuracy=search.target_accuracy,
            report=self._report,
        )

    def _round(self, current: Round) -> list[Outcome]:
        """Carry out the jobs of a round; fewer outcomes return if time is up."""
        self._forget(current)
        decision = {**current.decision, "best": current.best}
        if self._faults:
            decision["faults"], self._faults = self._faults, []
        self.journal.write("decision", **decision)
        self._tell("decision", decision)
        states: dict[int | None, TrainState] = {
            job: outcome.state
            for job, outcome in self._outcomes.items()
            if outcome.state is not None
        }
        outcomes: list[Outcome] = []
        if self._time_is_up() and current.best is not None:
            return outcomes
        running = self.executor.run(current.jobs, states, self._job_started)
        for job, outcome in zip(current.jobs, running, strict=True):
            self._record(job, outcome)
            outcomes.append(outcome)
            if self._time_is_up() and len(outcomes) < len(current.jobs):
                break
        return outcomes

    def _record(self, job: Job, outcome: Outcome) -> None:
        self._jobs[job.id], self._outcomes[job.id] = job, outcome
        self._front = self._front.add(outcome)
        self._cost = self._cost + outcome.cost
        self.journal.write("job", **job.to_json())
        self.journal.write("outcome", **outcome.to_json())
        self._tell("job_finished", self._job_data(job, outcome))

    def _forget(self, current: Round) -> None:
        """Drop the weights that no job, front or result can need any more."""
        needed = {*current.live, current.best, *(o.job for o in self._front.outcomes)}
        for job, outcome in self._outcomes.items():
            if job not in needed and outcome.state is not None:
                self._outcomes[job] = attrs.evolve(outcome, state=None)

    def _best_so_far(self, current: Round) -> int:
        """The best valid network when time is up within a round."""
        finished = [o.job for o in self._outcomes.values() if not o.failed]
        known = {current.best, *(job.id for job in current.jobs)} & set(finished)
        if not known:
            raise SearchFailedError("time was up before any network was trained")
        return min(known, key=lambda job: (-self._outcomes[job].accuracy, job or 0)) or 0

    def _result(self, winner: int, stopped: str) -> SearchResult:
        outcome = self._outcomes[winner]
        if outcome.failed:
            reason = outcome.failure.reason if outcome.failure else "no outcome"
            raise SearchFailedError(
                f"no valid network came out of the run: {reason}; a lower learning_rate may help"
            )
        lineage, operations = [], []
        place: int | None = winner
        while place is not None:
            lineage.append(place)
            operations += [op.to_json() for op in reversed(self._jobs[place].operations)]
            place = self._jobs[place].parent
        edits = tuple(op for op in reversed(operations) if op["name"] != "identity")
        return SearchResult(
            outcome, edits, tuple(reversed(lineage)), self._front, self._cost, stopped
        )

    def _time_is_up(self) -> bool:
        limit = self.preparation.spec.search.max_seconds
        return limit is not None and self.seconds > limit

    def _report(self, kind: str, name: str, error: Exception) -> None:
        """A plugin raised in the middle of a run: it goes on without what was asked of the plugin."""
        owner = self.preparation.registry.owner(kind, name)
        fault = {
            "plugin": f"{owner.name} {owner.version}",
            "for": f"{kind}: {name}",
            "reason": f"{type(error).__name__}: {error}",
        }
        self._faults.append(fault)
        self._tell("plugin_failed", fault)

    def _job_started(self, job: Job) -> None:
        self._tell("job_started", {**job.to_json(), "epoch": self._epoch(job)})

    def _job_data(self, job: Job, outcome: Outcome) -> dict[str, Any]:
        facts = {"purpose": job.purpose, "epoch": self._epoch(job), "steps": job.steps}
        return {**outcome.to_json(), **facts, "seconds": outcome.seconds}

    def _epoch(self, job: Job) -> float:
        """Where the job will have arrived, in epochs of the winner's training."""
        before = self._outcomes.get(job.parent) if job.parent is not None else None
        start = before.state.step if before is not None and before.state is not None else 0
        return (start + job.steps) / self.preparation.steps_per_epoch

    def _tell(self, kind: str, data: dict[str, Any]) -> None:
        event = Event(kind, self.seconds, data)
        for observer in self._observers:
            observer(event)
        self.preparation.registry.notify(event)
