"""Carrying out one job: operate, train, evaluate. The same for every executor."""

import traceback
from collections.abc import Callable
from functools import partial
from time import perf_counter

import attrs
import numpy as np

from nas_surgery.executors import Told, untold
from nas_surgery.network import Array, Network, is_finite, keyed_generator, redrawn
from nas_surgery.operations import Context
from nas_surgery.operations.checked import checked
from nas_surgery.search.damage import Damage, DamageMeter, combined
from nas_surgery.search.feeding import Feed
from nas_surgery.search.recording import Gauge, Recorder, looks
from nas_surgery.strategies.jobs import Cost, Failure, Job, Operations, Outcome
from nas_surgery.strategies.recommender import Limits, Recommender
from nas_surgery.strategies.topology import describe_topology, skeleton
from nas_surgery.surgery import Surgery, carry_slots, origins
from nas_surgery.training.backend import Backend
from nas_surgery.training.evaluation import evaluate, part_means, sample_losses
from nas_surgery.training.optimizers import slot_names
from nas_surgery.training.plans import Recipe
from nas_surgery.training.state import Samples, Slots, TrainState, apply_prefix
from nas_surgery.training.state_bytes import digest, state_to_bytes

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
        place = partial(backend.place, device=device)
        self._feed, self._held = Feed(place, recipe, start, train), validation
        inputs = apply_prefix(start, validation)
        self._validation, self._validation_labels = place(inputs), validation.y
        self._gauge = Gauge(inputs, self._validation, len(train), recipe.loss, place)

    def perform(self, job: Job, parent: TrainState | None, told: Told = untold) -> Outcome:
        """Carry out a job on its parent's state; whatever goes wrong becomes a failed outcome.

        told: of each epoch's point when it is there.
        """
        state = TrainState(self.start) if parent is None else self._continued(parent)
        cost = Cost()
        try:
            before = perf_counter()
            operated = self._operate(job, state)
            surgery = perf_counter() - before
            end = state.step + job.steps
            cost = operated.cost + self._cost(job, operated.state.network, state.step, end)
            outcome = self._train_and_evaluate(job, operated, told)
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
        return Operated(self._with_weights(job, edited), promises, places, damage, cost)

    def _with_weights(self, job: Job, state: TrainState) -> TrainState:
        """The state with new weights, where edited networks are not to inherit any."""
        if self.recipe.redraw is None:
            return state
        draw = partial(keyed_generator, self.recipe.seed, "redraw", max(job.id, 0))
        return TrainState(redrawn(state.network, draw, self.recipe.redraw), None, state.step)

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

    def _train_and_evaluate(self, job: Job, operated: Operated, told: Told) -> Outcome:
        start = perf_counter()
        state, losses = operated.state, np.zeros(0)
        recorder = self._recorder(job, state, told)
        if job.refit:
            state, losses = self._refitted(job, state, recorder)
        elif job.steps:
            state, losses = self._trained(job, state, recorder)
        middle = perf_counter()
        cost = operated.cost + self._cost(job, state.network, operated.state.step, state.step)
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
            curve=() if recorder is None else recorder.curve(logits),
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

    def _recorder(self, job: Job, state: TrainState, told: Told) -> Recorder | None:
        """Who watches the job; nobody, if it trains less than an epoch."""
        epoch = self._epoch_of(job)
        if job.steps < epoch:
            return None
        gauge = None if job.refit else self._gauge
        stop = None if self._tail(job) > 1 else state.step + job.steps
        scale, parameters = self.recipe.steps_per_epoch(self.samples), state.network.parameter_count
        return Recorder(gauge, epoch, state.step, stop, scale, lambda p: told(p, parameters))

    def _tail(self, job: Job) -> int:
        """The epochs over whose ends the job's network is the mean; 0 or 1 for none."""
        return min(job.average, job.steps // self._epoch_of(job))

    def _epoch_of(self, job: Job) -> int:
        """Batches that the job trains in an epoch."""
        return self.recipe.steps_per_epoch(self._samples_of(job))

    def _trained(
        self, job: Job, state: TrainState, watch: Recorder | None
    ) -> tuple[TrainState, Array]:
        """Train for the job's steps; with `average`, the result is the mean over the last epochs' ends."""
        epoch, tail = self._epoch_of(job), self._tail(job)
        stretches = [job.steps - tail * epoch] + [epoch] * tail
        losses, ends = [np.zeros(0)], []
        for steps in (steps for steps in stretches if steps):
            plan = self.recipe.plan(self.samples, state.step, steps, job.rate, job.decay)
            state, part = self._feed.train(self.backend, state, plan, watch)
            losses.append(part)
            ends.append(state.network)
            if not np.isfinite(part).all():
                break
        if tail > 1:
            state = attrs.evolve(state, network=mean_network(ends[-tail:]))
        return state, np.concatenate(losses)

    def _refitted(
        self, job: Job, state: TrainState, watch: Recorder | None
    ) -> tuple[TrainState, Array]:
        """Train on training and validation samples alike."""
        count = self._samples_of(job)
        plan = self.recipe.refit_plan(count, state.step, job.steps, job.rate, job.decay)
        return self._feed.with_more(self._held).train(self.backend, state, plan, watch)

    def _samples_of(self, job: Job) -> int:
        """How many samples a job trains on in an epoch."""
        return self.samples + job.refit * len(self._validation_labels)

    def _cost(self, job: Job, network: Network, start: int, stop: int) -> Cost:
        """Of the job's training from `start` to `stop`, of its record, and of judging what comes out."""
        plan = self.recipe.plan_samples(self._samples_of(job), start, stop)
        held = len(self._validation_labels)
        if job.steps >= self._epoch_of(job) and not job.refit:
            held += len(self._gauge) * looks(start, stop, self._epoch_of(job), self._tail(job) > 1)
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


def mean_network(networks: list[Network]) -> Network:
    """One network with the mean of each parameter and statistic, over networks of one topology."""
    held = [{**network.parameters(), **network.statistics()} for network in networks]
    means = {
        name: np.mean([each[name] for each in held], axis=0, dtype=np.float64).astype(array.dtype)
        for name, array in held[0].items()
    }
    return networks[-1].with_parameters(means)
