"""The driver: runs a strategy's jobs, keeps the journal, the weights and the clock.

A run that is resumed is driven again from its beginning, and answered from the journal as far as it
goes. What is recorded is not trained again, but for jobs of less than an epoch whose weights died with
the process before the next decision.
"""

from collections.abc import Sequence
from time import perf_counter
from typing import Any

import attrs

from nas_surgery.errors import RunError, SearchFailedError
from nas_surgery.executors import Executor, Listener
from nas_surgery.failpoints import failpoint
from nas_surgery.network import Network
from nas_surgery.plugins.events import Event
from nas_surgery.search.asking import GivenUpError, ask
from nas_surgery.search.audience import Audience
from nas_surgery.search.endings import (
    SearchResult,
    best_so_far,
    broke_off,
    check_winner,
    edits_of,
    lineage_of,
    reason_of,
)
from nas_surgery.search.interrupts import InterruptedRunError, Interrupts
from nas_surgery.search.journal import Journal
from nas_surgery.search.pareto import Front
from nas_surgery.search.states import StateStore
from nas_surgery.strategies.jobs import Cost, Job, Outcome, Round
from nas_surgery.strategies.strategy import Search, Setting, Strategy
from nas_surgery.training.epochs import Point
from nas_surgery.training.state import TrainState


class Driver(Listener):
    """Carries out one search.

    max_seconds: when the run ends with the best network so far. max_failures: jobs in a row.
    """

    def __init__(
        self,
        strategy: Strategy,
        setting: Setting,
        executor: Executor,
        journal: Journal,
        states: StateStore,
        interrupts: Interrupts,
        audience: Audience,
        *,
        max_seconds: float | None = None,
        max_failures: int = 10,
    ) -> None:
        self.strategy, self.setting, self.executor = strategy, setting, executor
        self.journal, self.states, self.interrupts = journal, states, interrupts
        self.audience = audience
        self._max_seconds, self._max_failures = max_seconds, max_failures
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
        self._ending: str | None = None  # why the strategy ends early
        self._foreseen: list[Job] = []
        self._recovering = journal.replaying

    @property
    def seconds(self) -> float:
        """Since the driver was made."""
        return perf_counter() - self._began

    def search(self) -> SearchResult:
        """Run the strategy to its end, or until time is up, an observer ends it, a signal comes or it
        cannot go on.

        Raises SearchFailedError if no valid network came out, or what ended the search without one.
        """
        strategy, current, told = self._strategy(), Round(()), None
        while True:
            try:
                answer = ask(strategy, told, self._outcomes)
                if not isinstance(answer, Round):
                    return self._end(answer)
                current = answer
                told = self._round(current)
            except InterruptedRunError as signal:
                return self._stop(current, str(signal), signal)
            except GivenUpError as failure:
                return self._stop(current, "failures", failure)
            if len(told) < len(current.jobs):
                stopped = "observer" if self.audience.ending else "max_seconds"
                return self._stop(current, stopped, self.audience.error)

    def _strategy(self) -> Search:
        """The strategy's search, begun with the first question."""
        setting = attrs.evolve(self.setting, report=self._report)
        return (yield from self.strategy.search(setting))

    def foresee(self, job: Job) -> None:
        """Say before the search that `beside` will be asked for this job on the start network."""
        self._foreseen.append(job)

    def beside(self, job: Job) -> Outcome:
        """One job beside the search, such as the baseline: not part of its cost."""
        outcomes = self._recorded([job])
        if not outcomes:
            with self.interrupts.allowed():
                (outcome,) = self.executor.run([job], {}, self)
            outcomes = [self._record(job, outcome)]
        self._jobs[job.id], self._outcomes[job.id] = job, outcomes[0]
        self._keep({*self._kept, job.id})
        return outcomes[0]

    def network(self, job: int) -> Network:
        """The trained network of a job."""
        return self._state(job).network

    def tell(self, kind: str, data: dict[str, Any], result: Any = None) -> None:
        """Tell all observers of an event."""
        self.audience.tell(Event(kind, self.seconds, data, result))

    def _round(self, current: Round) -> list[Outcome]:
        """The outcomes of a round's jobs; fewer return if the run ends here."""
        self._write_decision(current)
        outcomes = [self._count(job, o) for job, o in self._replay(current.jobs)]
        if outcomes and not self.journal.replaying:
            failpoint("resume.replayed")
        left = current.jobs[len(outcomes) :]
        if not left or self._ends(current):
            return outcomes
        while self._foreseen:
            self.executor.begin(self._foreseen.pop())
        states = {job.parent: self._parent_state(job) for job in left}
        running = self.executor.run(left, states, self)
        for job in left:
            with self.interrupts.allowed():
                outcome = next(running)
            outcomes.append(self._count(job, self._record(job, outcome)))
            if self._ends(current):
                break
        return outcomes

    def _write_decision(self, current: Round) -> None:
        decision = {**current.decision, "best": current.best}
        self._ending = current.ending or self._ending
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
            outcomes.append(Outcome.from_json(record, self.setting.operations))
            self.states.know(job.id, outcomes[-1].digest)
        return outcomes

    def _record(self, job: Job, outcome: Outcome) -> Outcome:
        """Take the weights of a job, and write down what became of it."""
        if self._announced != job.id:
            self.journal.write("job", **job.to_json())
        if outcome.state is not None and not outcome.failed:
            dear = job.steps >= self.setting.steps_per_epoch
            self.states.put(job.id, outcome.state, outcome.digest, dear)
        self.journal.write("outcome", **outcome.to_json())
        failpoint("job.finished")
        facts = {"purpose": job.purpose, "epoch": self._epoch(job), "steps": job.steps}
        told = attrs.evolve(outcome, curve=()).to_json()  # its points have been told already
        self.tell("job_finished", {**told, **facts, "seconds": outcome.seconds})
        return attrs.evolve(outcome, state=None)

    def _count(self, job: Job, outcome: Outcome) -> Outcome:
        """Add a job of the search to the front, the cost and the failures in a row."""
        self._jobs[job.id], self._outcomes[job.id] = job, outcome
        self._front = self._front.add(outcome)
        self._cost = self._cost + outcome.cost
        self._failures = self._failures + 1 if outcome.failed else 0
        if self._failures >= self._max_failures and not self.journal.replaying:
            raise GivenUpError(f"{self._failures} jobs in a row failed: {reason_of(outcome)}")
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
            (again,) = self.executor.run([task], parents)
        if again.state is None or (again.digest != known.digest and not self.changed):
            raise RunError(
                f"the weights of job {job} are gone, and training it again gives other ones;"
                " are backend, device, versions and threads the same?"
            )
        self.states.put(job, again.state, again.digest)
        return again.state

    def _parent_state(self, job: Job) -> TrainState | None:
        return None if job.parent is None else self._state(job.parent)

    def _end(self, winner: int) -> SearchResult:
        """The strategy has ended. If it did so because its last jobs broke off, the run has not."""
        last = self._outcomes[max(self._outcomes)]
        if self._failures and broke_off(last) and not self._outcomes[winner].failed:
            reason = f"the last {self._failures} jobs failed: {reason_of(last)}"
            return self._result(winner, "failures", self.audience.error, reason)
        return self._result(winner, self._end_of(winner), self.audience.error)

    def _stop(self, current: Round, stopped: str, why: BaseException | None) -> SearchResult:
        """Something ends the search from outside, with the best network whose weights are there.

        Without one, `why` is raised if it is a signal or an observer's own exception.
        """
        reason = str(why) if isinstance(why, GivenUpError) else None
        error = None if reason else why
        best = best_so_far(current, self._outcomes, self._front.outcomes, self._there)
        try:
            if best is None:
                raise SearchFailedError(
                    f"no valid network came out of the run: {reason or f'stopped by {stopped}'}"
                )
            return self._result(best, stopped, error, reason)
        except SearchFailedError as failure:
            raise (error or failure) from (None if error else why)

    def _there(self, job: int) -> bool:
        return self.states.get(job) is not None

    def _result(
        self,
        winner: int,
        stopped: str,
        error: BaseException | None = None,
        reason: str | None = None,
    ) -> SearchResult:
        outcome = self._outcomes[winner]
        check_winner(outcome, self.setting.limits)
        lineage = lineage_of(winner, self._jobs)
        wanted = [o for o in self._front.outcomes if error is None or self._there(o.job)]
        front = tuple((o, self.network(o.job)) for o in wanted)
        network = self.network(winner)
        self._keep({*self._kept, winner, *(o.job for o, _ in front)})
        edits = edits_of(lineage, self._jobs)
        return SearchResult(
            outcome, network, edits, lineage, front, self._cost, stopped, error, reason
        )

    def _end_of(self, winner: int) -> str:
        """Why the search ended that its strategy brought to an end."""
        if self.audience.ending and not self.journal.replaying:
            return "observer"
        target = self.setting.target_accuracy
        reached = target is not None and self._outcomes[winner].accuracy >= target
        return "target_accuracy" if reached else self._ending or "finished"

    def _ends(self, current: Round) -> bool:
        """Whether the run ends within a round: on an observer's error at once, on a wish and when time is
        up once there is a network."""
        if self.audience.error is not None:
            return True
        wanted = self.audience.stopping or self._time_is_up()
        return wanted and best_so_far(current, self._outcomes) is not None

    def _time_is_up(self) -> bool:
        return self._max_seconds is not None and self.seconds > self._max_seconds

    def _report(self, name: str, error: BaseException) -> None:
        """A score raised: its candidate cannot win, and the journal says why."""
        reason = f"{type(error).__name__}: {error}"
        fault = {"plugin": self.setting.score_origin, "score": name, "reason": reason}
        self._faults.append(fault)
        self.tell("plugin_failed", fault)

    def started(self, job: Job) -> None:
        """Tell that a job begins."""
        self.tell("job_started", {**job.to_json(), "epoch": self._epoch(job)})

    def epoch(self, job: Job, point: Point, parameters: int) -> None:
        """Tell of another epoch; the baseline is no job of the search, and has no number."""
        number = job.id if job.id >= 0 else None
        self.tell("epoch", {"job": number, **point.to_json(), "parameters": parameters})

    def _epoch(self, job: Job) -> float:
        """Where the job will have arrived, in epochs of the winner's training."""
        before = self._outcomes.get(job.parent) if job.parent is not None else None
        start = 0 if before is None or before.failed else before.step
        return (start + job.steps) / self.setting.steps_per_epoch
