"""The driver: runs a strategy's jobs, keeps the journal, the weights and the clock.

A run that is resumed is driven again from its beginning, and answered from the journal as far as it
goes. What is recorded is not trained again, but for jobs of less than an epoch whose weights died with
the process before the next decision.
"""

from collections.abc import Callable, Sequence
from time import perf_counter
from typing import Any

import attrs

from nas_surgery.errors import RunError, SearchFailedError
from nas_surgery.failpoints import failpoint
from nas_surgery.network import Network
from nas_surgery.preparation import Preparation
from nas_surgery.search.endings import (
    SearchResult,
    best_so_far,
    check_winner,
    edits_of,
    lineage_of,
    reason_of,
)
from nas_surgery.search.events import Event
from nas_surgery.search.executors import Executor
from nas_surgery.search.interrupts import InterruptedRunError, Interrupts
from nas_surgery.search.jobs import Cost, Job, Outcome, Round
from nas_surgery.search.journal import Journal
from nas_surgery.search.pareto import Front
from nas_surgery.search.states import StateStore
from nas_surgery.search.strategy import Setting
from nas_surgery.training import TrainState

Observer = Callable[[Event], Any]


class Driver:
    """Carries out one search."""

    def __init__(
        self,
        preparation: Preparation,
        executor: Executor,
        journal: Journal,
        states: StateStore,
        interrupts: Interrupts,
        observers: Sequence[Observer] = (),
    ) -> None:
        self.preparation, self.executor = preparation, executor
        self.journal, self.states, self.interrupts = journal, states, interrupts
        self._observers = observers
        self._began = perf_counter()
        self._jobs: dict[int, Job] = {}
        self._outcomes: dict[int, Outcome] = {}
        self._front = Front()
        self._cost = Cost()
        self._faults: list[dict[str, str]] = []
        self._failures = 0
        self._kept: set[int] = set()
        self.changed = False  # whether what the run depends on was allowed to change on the way
        self._announced: int | None = None
        self._foreseen: list[Job] = []
        self._recovering = journal.replaying

    @property
    def seconds(self) -> float:
        """Since the driver was made."""
        return perf_counter() - self._began

    def search(self) -> SearchResult:
        """Run the strategy to its end, or until time is up or a signal comes.

        Raises SearchFailedError if no valid network came out.
        """
        generator = self.preparation.strategy.search(self._setting())
        current = next(generator)
        while True:
            try:
                outcomes = self._round(current)
            except InterruptedRunError as signal:
                best = best_so_far(current, self._outcomes)
                if best is None:
                    raise
                return self._result(best, str(signal), signal.signum)
            if len(outcomes) < len(current.jobs):
                best = best_so_far(current, self._outcomes)
                assert best is not None, "time is up only behind a best network"
                return self._result(best, "max_seconds")
            try:
                current = generator.send(outcomes)
            except StopIteration as end:
                return self._result(end.value, self._end_of(end.value))

    def foresee(self, job: Job) -> None:
        """Say before the search that `beside` will be asked for this job on the start network."""
        self._foreseen.append(job)

    def beside(self, job: Job) -> Outcome:
        """One job beside the search, such as the baseline: not part of its cost."""
        outcomes = self._recorded([job])
        if not outcomes:
            with self.interrupts.allowed():
                (outcome,) = self.executor.run([job], {}, self._job_started)
            outcomes = [self._record(job, outcome)]
        self._jobs[job.id], self._outcomes[job.id] = job, outcomes[0]
        self._keep({*self._kept, job.id})
        return outcomes[0]

    def network(self, job: int) -> Network:
        """The trained network of a job."""
        return self._state(job).network

    def tell(self, kind: str, data: dict[str, Any]) -> None:
        """Tell all observers of an event."""
        event = Event(kind, self.seconds, data)
        self._tell_observers(kind, data)
        for failure in self.preparation.registry.notify(event):
            self._tell_observers("plugin_failed", {"reason": failure})

    def _tell_observers(self, kind: str, data: dict[str, Any]) -> None:
        """Tell those that the caller gave, and no plugin."""
        for observer in self._observers:
            observer(Event(kind, self.seconds, data))

    def _setting(self) -> Setting:
        made, search = self.preparation, self.preparation.spec.search
        return Setting(
            network=made.network,
            seed=made.spec.seed,
            max_epochs=made.max_epochs,
            steps_per_epoch=made.steps_per_epoch,
            training_samples=len(made.splits.train),
            operations=made.operations,
            score=made.score,
            score_name=search.score,
            limits=made.limits,
            target_accuracy=search.target_accuracy,
            weight_decay=made.recipe.optimizer.weight_decay,
            batch_size=made.recipe.batch_size,
            spare_samples=made.spare_samples,
            report=self._report,
        )

    def _round(self, current: Round) -> list[Outcome]:
        """The outcomes of a round's jobs; fewer return if time is up."""
        self._write_decision(current)
        outcomes = [self._count(job, o) for job, o in self._replay(current.jobs)]
        if outcomes and not self.journal.replaying:
            failpoint("resume.replayed")
        left = current.jobs[len(outcomes) :]
        if not left or (self._time_is_up() and current.best is not None):
            return outcomes
        while self._foreseen:
            self.executor.begin(self._foreseen.pop())
        states = {job.parent: self._parent_state(job) for job in left}
        running = self.executor.run(left, states, self._job_started)
        for job in left:
            with self.interrupts.allowed():
                outcome = next(running)
            outcomes.append(self._count(job, self._record(job, outcome)))
            if self._time_is_up() and len(outcomes) < len(current.jobs):
                break
        return outcomes

    def _write_decision(self, current: Round) -> None:
        decision = {**current.decision, "best": current.best}
        if self._faults:
            decision["faults"], self._faults = self._faults, []
        front = (outcome.job for outcome in self._front.outcomes)
        self._keep({*current.live, *front, *([] if current.best is None else [current.best])})
        self.journal.write("decision", **decision)
        self.tell("decision", decision)

    def _keep(self, jobs: set[int]) -> None:
        """Write the weights of these jobs, and forget all others; in a replay that was done before."""
        self._kept = jobs
        if self.journal.replaying:
            return
        if self._recovering:
            self._recover(jobs)
        self.states.keep(jobs)
        for job, outcome in self._outcomes.items():
            if job not in jobs:
                self._outcomes[job] = attrs.evolve(outcome, topology=None, proposals=())
        self.journal.sync()

    def _recover(self, jobs: set[int]) -> None:
        """Train again what was recorded, but whose weights died with the process, while its parents'
        are there; the oldest first."""
        self._recovering = False
        for job in sorted(jobs):
            if not self._outcomes[job].failed:
                self._state(job)

    def _replay(self, jobs: Sequence[Job]) -> list[tuple[Job, Outcome]]:
        return list(zip(jobs, self._recorded(jobs), strict=False))

    def _recorded(self, jobs: Sequence[Job]) -> list[Outcome]:
        """The outcomes that the journal holds, of as many of the jobs as it does."""
        outcomes = []
        for job in jobs:
            if not self.journal.replaying:
                break
            self.journal.write("job", **job.to_json())
            record = self.journal.upcoming("outcome")
            if record is None:
                self._announced = job.id
                break
            self.journal.write(**{"kind" if k == "record" else k: v for k, v in record.items()})
            outcomes.append(Outcome.from_json(record, self.preparation.operations))
            self.states.know(job.id, outcomes[-1].digest)
        return outcomes

    def _record(self, job: Job, outcome: Outcome) -> Outcome:
        """Take the weights of a job, and write down what became of it."""
        if self._announced != job.id:
            self.journal.write("job", **job.to_json())
        if outcome.state is not None and not outcome.failed:
            dear = job.steps >= self.preparation.steps_per_epoch
            self.states.put(job.id, outcome.state, outcome.digest, dear)
        self.journal.write("outcome", **outcome.to_json())
        failpoint("job.finished")
        facts = {"purpose": job.purpose, "epoch": self._epoch(job), "steps": job.steps}
        self.tell("job_finished", {**outcome.to_json(), **facts, "seconds": outcome.seconds})
        return attrs.evolve(outcome, state=None)

    def _count(self, job: Job, outcome: Outcome) -> Outcome:
        """Add a job of the search to the front, the cost and the failures in a row."""
        self._jobs[job.id], self._outcomes[job.id] = job, outcome
        self._front = self._front.add(outcome)
        self._cost = self._cost + outcome.cost
        self._failures = self._failures + 1 if outcome.failed else 0
        limit = self.preparation.spec.run.max_failures
        if self._failures >= limit and not self.journal.replaying:
            raise SearchFailedError(f"{self._failures} jobs in a row failed: {reason_of(outcome)}")
        return outcome

    def _state(self, job: int) -> TrainState:
        """The state that a job left; trained again if its weights are gone or damaged."""
        state = self.states.get(job)
        if state is not None:
            return state
        task, known = self._jobs[job], self._outcomes[job]
        self.tell("job_repeated", {"job": job})
        parents = {task.parent: self._parent_state(task)}
        with self.interrupts.allowed():
            (again,) = self.executor.run([task], parents, lambda _: None)
        if again.state is None or (again.digest != known.digest and not self.changed):
            raise RunError(
                f"the weights of job {job} are gone, and training it again gives other ones;"
                " are backend, device, versions and threads the same?"
            )
        self.states.put(job, again.state, again.digest)
        return again.state

    def _parent_state(self, job: Job) -> TrainState | None:
        return None if job.parent is None else self._state(job.parent)

    def _result(self, winner: int, stopped: str, signum: int | None = None) -> SearchResult:
        outcome = self._outcomes[winner]
        check_winner(outcome, self.preparation.limits)
        lineage = lineage_of(winner, self._jobs)
        front = tuple((o, self.network(o.job)) for o in self._front.outcomes)
        network = self.network(winner)
        self._keep({*self._kept, winner, *(o.job for o, _ in front)})
        edits = edits_of(lineage, self._jobs)
        return SearchResult(outcome, network, edits, lineage, front, self._cost, stopped, signum)

    def _end_of(self, winner: int) -> str:
        """Why the strategy ended."""
        target = self.preparation.spec.search.target_accuracy
        reached = target is not None and self._outcomes[winner].accuracy >= target
        return "target_accuracy" if reached else "finished"

    def _time_is_up(self) -> bool:
        limit = self.preparation.spec.search.max_seconds
        return limit is not None and self.seconds > limit

    def _report(self, name: str, error: BaseException) -> None:
        """A score raised: its candidate cannot win, and the journal says why."""
        owner = self.preparation.registry.owner("scores", name)
        reason = f"{type(error).__name__}: {error}"
        fault = {"plugin": f"{owner.name} {owner.version}", "score": name, "reason": reason}
        self._faults.append(fault)
        self.tell("plugin_failed", fault)

    def _job_started(self, job: Job) -> None:
        self.tell("job_started", {**job.to_json(), "epoch": self._epoch(job)})

    def _epoch(self, job: Job) -> float:
        """Where the job will have arrived, in epochs of the winner's training."""
        before = self._outcomes.get(job.parent) if job.parent is not None else None
        start = 0 if before is None or before.failed else before.step
        return (start + job.steps) / self.preparation.steps_per_epoch
