"""Carrying out one job: operate, train, evaluate. The same for every executor."""

import traceback
from collections.abc import Callable
from time import perf_counter

import attrs
import numpy as np

from nas_surgery.network import Array, Network, is_finite
from nas_surgery.operations import Context
from nas_surgery.operations.checked import checked
from nas_surgery.search.damage import Damage, DamageMeter, combined
from nas_surgery.search.states import digest, state_to_bytes
from nas_surgery.strategies.jobs import Cost, Failure, Job, Operations, Outcome
from nas_surgery.strategies.recommender import Limits, Recommender
from nas_surgery.strategies.topology import describe_topology, skeleton
from nas_surgery.surgery import Surgery, carry_slots, origins
from nas_surgery.training.backend import Backend
from nas_surgery.training.evaluation import evaluate, part_means, sample_losses
from nas_surgery.training.optimizers import slot_names
from nas_surgery.training.plans import Recipe
from nas_surgery.training.state import Samples, Slots, TrainState, apply_prefix

PROBE_SAMPLES = 1024
DIVERGED = "training diverged"


@attrs.frozen
class Operated:
    """A state behind its operations."""

    state: TrainState
    exactness: tuple[str, ...] = ()
    origins: tuple[int | None, ...] = ()
    damage: Damage | None = None
    cost: Cost = attrs.field(factory=Cost)


class _FaultyOperationError(Exception):
    """An operation raised, or did what it must not."""

    def __init__(self, operation: str, error: BaseException) -> None:
        super().__init__(operation)
        self.operation, self.error = operation, error


class Workbench:
    """Holds what all jobs of a run share: backend, placed data, operations, and how to train.

    start: the network that jobs without a parent take. fault: names the plugin that provides an
    operation, for failures.
    """

    def __init__(
        self,
        backend: Backend,
        device: str,
        recipe: Recipe,
        start: Network,
        train: Samples,
        validation: Samples,
        operations: Operations,
        fault: Callable[[str], str | None] = lambda name: None,
    ) -> None:
        self.backend, self.recipe, self.start = backend, recipe, start
        self.operations, self._fault = operations, fault
        self.samples = len(train)
        self.probe: Array = np.asarray(train.x[:PROBE_SAMPLES])
        self.labels: Array = np.asarray(train.y[:PROBE_SAMPLES])
        self._meter = DamageMeter(backend, device, start, train, recipe.loss)
        inputs = [apply_prefix(start, part) for part in (train, validation)]
        self._train, self._validation = (backend.place(part, device) for part in inputs)
        self._inputs, self._device = inputs, device
        self._validation_labels = validation.y

    def perform(self, job: Job, parent: TrainState | None) -> Outcome:
        """Carry out a job on its parent's state; whatever goes wrong becomes a failed outcome."""
        state = TrainState(self.start) if parent is None else self._continued(parent)
        cost = Cost()
        try:
            before = perf_counter()
            operated = self._operate(job, state)
            surgery = perf_counter() - before
            end = state.step + job.steps
            planned = self._cost(operated.state.network, state.step, end, self._samples_of(job))
            cost = operated.cost + planned
            outcome = self._train_and_evaluate(job, operated)
            before = perf_counter()
            outcome = self._with_proposals(job, outcome)
        except _FaultyOperationError as fault:
            plugin = self._fault(fault.operation)
            return Outcome(job.id, failure=failure_of(fault.error, plugin))
        except (Exception, SystemExit) as error:
            return Outcome(job.id, cost=cost, failure=failure_of(error))
        seconds = {"surgery": surgery, "analysis": perf_counter() - before}
        return attrs.evolve(outcome, seconds={**outcome.seconds, **seconds})

    def _operate(self, job: Job, state: TrainState) -> Operated:
        edited, made = state, []
        for i, operation in enumerate(job.operations):
            key = (max(job.id, 0), i)
            context = Context(self.recipe.seed, key, self.probe, self.labels, self.recipe.loss)
            try:
                surgery = operation.apply(edited.network, context)
                checked(operation, edited.network, surgery)
                made.append((edited.network, surgery))
                edited = self._behind(edited, surgery)
            except (Exception, SystemExit) as error:
                raise _FaultyOperationError(operation.name, error) from error
        promises = tuple(surgery.promise.exactness.value for _, surgery in made)
        cost = sum((self._probe_cost(*each) for each in made), Cost())
        if edited.network is state.network:
            unchanged = tuple(range(len(state.network.layers))) if job.operations else ()
            return Operated(state, promises, unchanged, None, cost)
        places = origins(state.network, edited.network)
        predicted = combined([surgery.predicted for _, surgery in made])
        damage = self._meter.measure(state.network, edited.network, predicted)
        cost = cost + self._meter.cost(state.network, edited.network)
        return Operated(edited, promises, places, damage, cost)

    def _continued(self, state: TrainState) -> TrainState:
        """A state without what an optimizer of another kind has left in it: a run that is resumed may
        have changed its own."""
        held = set() if state.slots is None else set(state.slots.values)
        ours = state.slots is None or held == set(slot_names(self.recipe.optimizer))
        return state if ours else attrs.evolve(state, slots=None)

    def _behind(self, state: TrainState, surgery: Surgery) -> TrainState:
        """The state behind a surgery: with a fresh optimizer, or with what of its state can be carried."""
        if surgery.network is state.network:
            return state
        slots = None
        if self.recipe.state_at_surgery == "carry" and state.slots is not None:
            values = carry_slots(state.slots.values, state.network, surgery)
            slots = Slots(values, state.slots.updates)
        return TrainState(surgery.network, slots, state.step)

    def _probe_cost(self, network: Network, surgery: Surgery) -> Cost:
        samples = surgery.probe_passes * len(self.probe)
        return Cost(forward_samples=samples, forward_macs=network.macs * samples)

    def _train_and_evaluate(self, job: Job, operated: Operated) -> Outcome:
        start = perf_counter()
        state, losses = operated.state, np.zeros(0)
        if job.refit:
            state, losses = self._refitted(job, state)
        elif job.steps:
            state, losses = self._trained(job, state)
        middle = perf_counter()
        samples = self._samples_of(job)
        cost = operated.cost + self._cost(state.network, operated.state.step, state.step, samples)
        if not np.isfinite(losses).all() or not is_finite(state.network):
            reason = f"{DIVERGED} after {state.step - operated.state.step} batches"
            return Outcome(job.id, cost=cost, failure=Failure(reason))
        judged = operated.state if job.refit else state
        logits = self.backend.predict(judged.network, self._validation)
        found = evaluate(logits, self._validation_labels, self.recipe.loss)
        if not np.isfinite(found.loss):
            reason = f"{DIVERGED}: the validation loss is not finite"
            return Outcome(job.id, cost=cost, failure=Failure(reason))
        tail = losses[-self.recipe.steps_per_epoch(self.samples) :]
        return Outcome(
            job=job.id,
            accuracy=found.accuracy,
            loss=found.loss,
            training_loss=float(tail.mean()) if tail.size else float("nan"),
            part_losses=self._part_losses(logits, job.parts),
            state=state,
            topology=skeleton(describe_topology(state.network)),
            position=state.step,
            digest=digest(state_to_bytes(state)),
            exactness=operated.exactness,
            origins=operated.origins,
            damage=None if operated.damage is None else operated.damage.to_json(),
            cost=cost,
            seconds={"training": middle - start, "evaluation": perf_counter() - middle},
        )

    def _part_losses(self, logits: Array, parts: int) -> tuple[float, ...]:
        if not parts:
            return ()
        losses = sample_losses(logits, self._validation_labels, self.recipe.loss)
        return part_means(losses, parts)

    def _trained(self, job: Job, state: TrainState) -> tuple[TrainState, Array]:
        """Train for the job's steps; with `average`, the result is the mean over the last epochs' ends."""
        epoch = self.recipe.steps_per_epoch(self.samples)
        tail = min(job.average, job.steps // epoch)
        stretches = [job.steps - tail * epoch] + [epoch] * tail
        losses, ends = [np.zeros(0)], []
        for steps in (steps for steps in stretches if steps):
            plan = self.recipe.plan(self.samples, state.step, steps, job.rate, job.decay)
            state, part = self.backend.train(state, self._train, plan)
            losses.append(part)
            ends.append(state.network)
            if not np.isfinite(part).all():
                break
        if tail > 1:
            state = attrs.evolve(state, network=mean_network(ends[-tail:]))
        return state, np.concatenate(losses)

    def _refitted(self, job: Job, state: TrainState) -> tuple[TrainState, Array]:
        """Train on training and validation samples alike."""
        count = self._samples_of(job)
        plan = self.recipe.refit_plan(count, state.step, job.steps, job.rate, job.decay)
        everything = self.backend.place(together(*self._inputs), self._device)
        return self.backend.train(state, everything, plan)

    def _samples_of(self, job: Job) -> int:
        """How many samples a job trains on in an epoch."""
        return self.samples + job.refit * len(self._validation_labels)

    def _cost(self, network: Network, start: int, stop: int, samples: int) -> Cost:
        plan = self.recipe.plan_samples(samples, start, stop)
        held = len(self._validation_labels)
        return Cost.of_training(plan, network.macs) + Cost(0, 0, held, network.macs * held)

    def _with_proposals(self, job: Job, outcome: Outcome) -> Outcome:
        """What the operations propose for the trained network, if the job asks for it."""
        if job.thresholds is None or outcome.state is None:
            return outcome
        faults: list[Failure] = []

        def report(name: str, error: BaseException) -> None:
            faults.append(failure_of(error, self._fault(name)))

        recommender = Recommender(self.operations, *job.thresholds, report)
        found = recommender.candidates(job.id, outcome.state.network, Limits())
        return attrs.evolve(outcome, proposals=tuple(found), faults=tuple(faults))


def failure_of(error: BaseException, plugin: str | None = None) -> Failure:
    """An exception as a failure, with its traceback."""
    reason = (str(error).splitlines() or [""])[0]
    trace = "".join(traceback.format_exception(error))
    return Failure(f"{type(error).__name__}: {reason}", plugin, trace)


def together(a: Samples, b: Samples) -> Samples:
    """The samples of both, which have passed the same layers."""
    return Samples(np.concatenate([a.x, b.x]), np.concatenate([a.y, b.y]), a.prefix)


def mean_network(networks: list[Network]) -> Network:
    """One network with the mean of each parameter and statistic, over networks of one topology."""
    held = [{**network.parameters(), **network.statistics()} for network in networks]
    means = {
        name: np.mean([each[name] for each in held], axis=0, dtype=np.float64).astype(array.dtype)
        for name, array in held[0].items()
    }
    return networks[-1].with_parameters(means)
