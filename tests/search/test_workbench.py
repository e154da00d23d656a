import attrs
import numpy as np
import pytest

from nas_surgery.network import Dense, Flatten
from nas_surgery.numpy_backend.backend import NumpyBackend
from nas_surgery.operations import OPERATIONS, AddNeurons, Context, Identity, Operation, RemoveLayer
from nas_surgery.search.workbench import PROBE_SAMPLES, Workbench
from nas_surgery.strategies.jobs import Cost, Job, Outcome
from nas_surgery.strategies.recommender import Limits, Recommender
from nas_surgery.surgery import Carry, Promise, Surgery, proved
from nas_surgery.testing.builders import build, labelled
from nas_surgery.training.evaluation import evaluate
from nas_surgery.training.optimizers import SGD, Adam, AdamW, RMSprop, slot_names
from nas_surgery.training.plans import Recipe
from nas_surgery.training.state import Samples, TrainState

NETWORK = build(3, 5, "tanh", 4, dtype=np.float32)
TRAIN, VALIDATION = labelled(NETWORK, 10, seed=1), labelled(NETWORK, 7, seed=2)
RECIPE = Recipe(SGD(0.1, momentum=0.9), batch_size=4, seed=3)  # 3 batches an epoch: 4, 4, 2


def bench(recipe=RECIPE, network=NETWORK, operations=OPERATIONS, **parts):
    given = {"train": TRAIN, "validation": VALIDATION, **parts}
    fault = {"mine": "my-plugin 1.2"}.get
    return Workbench(
        NumpyBackend(), "cpu", recipe, network, operations=operations, fault=fault, **given
    )


def parameters(outcome):
    return np.concatenate([a.ravel() for a in outcome.state.network.parameters().values()])


def test_a_job_is_a_stretch_of_the_recipes_training():
    """Exactly what the backend does with the recipe's plan, judged on the validation part."""
    outcome = bench().perform(Job(0, None, steps=5), None)
    plan = RECIPE.plan(10, start=0, steps=5)
    state, losses = NumpyBackend().train(TrainState(NETWORK), TRAIN, plan)
    assert outcome.state.network.equals(state.network)
    assert outcome.step == outcome.state.step == 5
    logits = state.network.forward(VALIDATION.x)
    assert outcome.accuracy == np.mean(logits.argmax(axis=1) == VALIDATION.y)
    z = logits.astype(np.float64)
    chosen = z[np.arange(7), VALIDATION.y]
    assert outcome.loss == pytest.approx(np.mean(np.log(np.exp(z).sum(axis=1)) - chosen))
    assert outcome.training_loss == pytest.approx(losses[-3:].mean())  # the last epoch's batches


def test_jobs_can_be_cut_anywhere():
    """Two stretches, one after the other, are the same bits as one: momentum goes on."""
    first = bench().perform(Job(0, None, steps=4), None)
    second = bench().perform(Job(1, 0, steps=5), first.state)
    whole = bench().perform(Job(0, None, steps=9), None)
    assert second.state.network.equals(whole.state.network)
    assert second.digest == whole.digest
    assert (second.step, second.loss) == (9, whole.loss)


def test_identity_keeps_the_optimizers_state_and_surgery_resets_it():
    """So that an identity candidate is plain training, bit for bit."""
    first = bench().perform(Job(0, None, steps=4), None)
    plain = bench().perform(Job(1, 0, steps=2), first.state)
    identity = bench().perform(Job(1, 0, (Identity(),), steps=2), first.state)
    assert identity.state.network.equals(plain.state.network)
    assert identity.origins == (0, 1, 2)
    grown = bench().perform(Job(1, 0, (AddNeurons(0, 2, "pairs"),), steps=2), first.state)
    edited = (
        AddNeurons(0, 2, "pairs").apply(first.state.network, Context(3, (1, 0), TRAIN.x)).network
    )
    plan = RECIPE.plan(10, start=4, steps=2)
    fresh, _ = NumpyBackend().train(TrainState(edited, None, 4), TRAIN, plan)
    assert grown.state.network.equals(fresh.network)
    assert grown.origins == (None, 1, None)


def test_the_weight_decay_of_a_job_is_scaled_by_its_decay():
    """The factor stands in front of the optimizer's own, and in the journal where it is not one."""
    given = Recipe(AdamW(0.01, weight_decay=0.1), batch_size=4)
    firm = bench(given).perform(Job(0, None, steps=3, decay=3.0), None)
    same = bench(Recipe(AdamW(0.01, weight_decay=0.1 * 3.0), batch_size=4))
    assert firm.digest == same.perform(Job(0, None, steps=3), None).digest
    assert firm.digest != bench(given).perform(Job(0, None, steps=3), None).digest
    job = Job(0, None, steps=3, decay=3.0)
    assert Job.from_json(job.to_json(), {}) == job
    assert "decay" not in Job(0, None).to_json()


@pytest.mark.parametrize("parts", [2, 3, 100])
def test_losses_are_told_part_by_part_where_a_job_asks(parts):
    """Means over every n-th validation sample, of one sample at least; the journal holds them."""
    outcome = bench().perform(Job(0, None, steps=3, parts=parts), None)
    count = min(parts, len(VALIDATION))
    for i, loss in enumerate(outcome.part_losses):
        part = Samples(VALIDATION.x[i::count], VALIDATION.y[i::count])
        logits = NumpyBackend().predict(outcome.state.network, part)
        assert loss == pytest.approx(evaluate(logits, part.y, RECIPE.loss).loss)
    assert len(outcome.part_losses) == count
    again = Outcome.from_json(outcome.to_json(), OPERATIONS)
    assert again.part_losses == outcome.part_losses
    assert "part_losses" not in bench().perform(Job(0, None), None).to_json()
    job = Job(0, None, parts=parts)
    assert Job.from_json(job.to_json(), {}) == job


def test_a_refit_trains_on_everything_and_is_measured_before():
    """As plain training on the samples of both parts, while the learning rate falls to zero."""
    first = bench().perform(Job(0, None, steps=4), None)
    job = Job(1, 0, steps=6, rate=0.5, refit=True)
    found = bench().perform(job, first.state)
    everything = Samples(
        np.concatenate([TRAIN.x, VALIDATION.x]), np.concatenate([TRAIN.y, VALIDATION.y])
    )
    plan = RECIPE.plan(len(everything), start=4, steps=6)
    falling = attrs.evolve(plan, rates=0.05 * (1 - np.arange(6) / 6))
    state, _ = NumpyBackend().train(first.state, everything, falling)
    assert found.state.network.equals(state.network)
    assert (found.loss, found.accuracy) == (first.loss, first.accuracy)
    assert found.cost.training_samples == plan.sample_count
    assert Job.from_json(job.to_json(), {}) == job


def test_the_learning_rate_of_a_job_is_scaled_by_its_rate():
    """On top of the recipe's own."""
    recipe = Recipe(SGD(0.1), batch_size=4)
    slow = bench(recipe).perform(Job(0, None, steps=1, rate=0.5), None)
    fast = bench(recipe).perform(Job(0, None, steps=1), None)
    start = np.concatenate([a.ravel() for a in NETWORK.parameters().values()])
    assert np.allclose(parameters(fast) - start, 2 * (parameters(slow) - start), atol=1e-6)


def test_averaging_takes_the_mean_over_the_ends_of_the_last_epochs():
    """Computed here by stopping at the end of each."""
    whole = bench().perform(Job(0, None, steps=3 * 5 + 1, average=3), None)
    ends = [bench().perform(Job(0, None, steps=1 + 3 * n), None) for n in (3, 4, 5)]
    assert np.allclose(parameters(whole), np.mean([parameters(e) for e in ends], axis=0), atol=1e-7)
    assert whole.step == 16
    logits = NumpyBackend().predict(whole.state.network, VALIDATION)
    judged = evaluate(logits, VALIDATION.y, RECIPE.loss)
    assert (whole.loss, whole.accuracy) == (judged.loss, judged.accuracy)


@pytest.mark.parametrize(("average", "count"), [(0, 1), (1, 1), (2, 2), (3, 3), (5, 3)])
def test_averaging_over_as_many_epochs_as_there_are(average, count):
    """One is the end itself; of five, three are there."""
    outcome = bench().perform(Job(0, None, steps=9, average=average), None)
    ends = [bench().perform(Job(0, None, steps=3 * n), None) for n in (1, 2, 3)]
    wanted = [parameters(end) for end in ends[-count:]]
    assert np.allclose(parameters(outcome), np.mean(wanted, axis=0), atol=1e-7)


@pytest.mark.parametrize(
    ("start", "steps", "samples", "passes"),
    [(0, 3, 10, 1), (0, 4, 14, 2), (2, 2, 6, 1), (1, 0, 0, 1), (1, 8, 26, 3)],
)
def test_costs_are_counted_by_hand(start, steps, samples, passes):
    """A training sample costs three forward passes; last batches are smaller; everything is judged, and so
    is what the record looks at: the end of each epoch of longer jobs but one that is their own."""
    macs, judged = 3 * 5 + 5 * 4, 7 * passes
    assert NETWORK.macs == macs
    parent = TrainState(NETWORK, None, start)
    outcome = bench().perform(Job(1, 0, steps=steps), parent)
    assert outcome.cost == Cost(samples, 3 * macs * samples, judged, judged * macs)
    assert outcome.cost.macs == (3 * samples + judged) * macs
    twice = Cost(2 * samples, 6 * macs * samples, 2 * judged, 2 * judged * macs)
    assert outcome.cost + outcome.cost == twice


def test_costs_are_those_of_the_edited_network():
    """Removing the hidden layer leaves 3 × 4 multiply-accumulates of 35: in 10 training and 7 validation
    samples; the 10 samples of the probe pass the old network twice for the fit, and once each the old
    and the new one to measure the damage."""
    outcome = bench().perform(Job(0, None, (RemoveLayer(0),), steps=3), None)
    assert outcome.cost == Cost(
        10, 3 * 12 * 10, 7 + 2 * 10 + 2 * 10, 7 * 12 + 2 * 10 * 35 + 10 * (35 + 12)
    )


def test_a_job_that_diverges_fails_and_its_cost_is_counted():
    """The reason says when; there is no network that could win."""
    regression = labelled(NETWORK, 10, loss="mean_squared_error")
    recipe = Recipe(SGD(1e30), "mean_squared_error", batch_size=4)
    made = bench(recipe, train=regression, validation=regression)
    outcome = made.perform(Job(0, None, steps=30), None)
    assert outcome.failed
    assert outcome.state is None
    assert outcome.failure.reason.startswith("training diverged after ")
    assert outcome.failure.plugin is None
    assert 0 < outcome.cost.training_samples <= 10
    assert "failure" in outcome.to_json()


def test_a_loss_that_is_not_finite_is_enough():
    """Whatever a backend makes of the weights behind it."""

    class Odd(NumpyBackend):
        def train(self, state, data, plan):
            trained, losses = super().train(state, data, plan)
            return trained, np.where(np.arange(len(losses)) == 1, np.nan, losses)

    made = bench()
    made.backend = Odd()
    outcome = made.perform(Job(0, None, steps=3), None)
    assert outcome.failure.reason == "training diverged after 3 batches"


def test_training_that_came_to_nothing_costs_what_it_would_have():
    """An error behind the training must not make a search look cheaper than it was."""

    class Short(NumpyBackend):
        def predict(self, network, data):
            raise MemoryError("none left")

    made = bench()
    whole = made.perform(Job(0, None, steps=5), None)
    made.backend = Short()
    failed = made.perform(Job(0, None, steps=5), None)
    assert failed.failure.reason == "MemoryError: none left"
    assert failed.cost == whole.cost


@pytest.mark.filterwarnings("ignore:overflow encountered", "ignore:invalid value")
def test_a_network_that_overflows_on_validation_fails():
    """Its loss is not finite, so it cannot be compared."""
    validation = Samples(np.full((7, 3), 3e38, np.float32), VALIDATION.y)
    deep = build(3, 5, "relu", 5, "relu", 4, dtype=np.float32)
    outcome = bench(network=deep, validation=validation).perform(Job(0, None, steps=1), None)
    assert outcome.failed
    assert outcome.failure.reason == "training diverged: the validation loss is not finite"


@attrs.frozen(eq=False)
class Mine(Operation):
    """Does what the test wants it to."""

    name = "mine"
    does: object = None

    def apply(self, network, context=None):
        return self.does(network, context)


def surgery(network):
    return Surgery(network, proved("the test says so"))


def raising(error):
    def apply(network, context):
        raise error

    return apply


def writing(network, context):
    network.layers[0].kernel[:] = 0
    return surgery(network)


def with_kernel(change):
    def apply(network, context):
        last = network.layers[-1]
        return surgery(network.replace({2: (change(last),)}))

    return apply


PROMISE = proved("the test says so")
BROKEN = {
    "ValueError: no": raising(ValueError("no\nsecond line")),
    "SystemExit: 3": raising(SystemExit(3)),
    "apply must return a Surgery, got <Network": lambda network, context: network,
    "apply must return a Surgery, got None": lambda network, context: None,
    "changed the network from (3,) → (4,) to (3,) → (9,)": with_kernel(lambda d: Dense(np.ones((5, 9), np.float32))),
    "to (3, 1) → (4,)": lambda network, context: surgery(build((3, 1), Flatten(), 4, dtype=np.float32)),
    "Dense.kernel (9, 4) needs 9 input channels": with_kernel(lambda d: Dense(np.ones((9, 4), np.float32))),
    "weights that are not finite float32": with_kernel(lambda d: Dense(d.kernel * np.nan, d.bias)),
    "left weights that are not": lambda network, context: surgery(network.astype(np.float64)),
    "read-only": writing,
    "destination is read-only": lambda network, context: context.probe.__setitem__(0, 0),
    "array is read-only": lambda network, context: context.labels.sort(),
    "predicted must be a number or None, got 'abc'": lambda network, context: Surgery(network, PROMISE, "abc"),
    "promise must be a Promise, got None": lambda network, context: Surgery(network, None),
    "exactness must be an Exactness, got 'proved'": lambda network, context: Surgery(network, Promise("proved", "")),
    "network must be a Network, got None": lambda network, context: Surgery(None, PROMISE),
    "carried must hold Carries by address, got {0: 1}": lambda network, context: Surgery(network, PROMISE, carried={0: 1}),
    "probe_passes must be a whole number": lambda network, context: Surgery(network, PROMISE, probe_passes=-1),
}  # fmt: skip


@pytest.mark.parametrize("reason", BROKEN)
def test_an_operation_that_breaks_a_rule_fails_its_candidate(reason):
    """Whoever provides it is named, and the next job finds everything as it was."""
    made = bench()
    before = {name: array.copy() for name, array in NETWORK.parameters().items()}
    outcome = made.perform(Job(0, None, (Mine(BROKEN[reason]),), steps=3), None)
    assert outcome.failed
    assert reason in outcome.failure.reason
    assert "\n" not in outcome.failure.reason
    assert outcome.failure.plugin == "my-plugin 1.2"
    assert outcome.failure.traceback.startswith("Traceback (most recent call last)")
    assert outcome.cost == Cost()
    assert all(np.array_equal(before[k], array) for k, array in NETWORK.parameters().items())
    assert not made.perform(Job(1, None, steps=1), None).failed


def test_optimizer_state_that_cannot_be_carried_fails_its_candidate():
    """Such as one for which an operation gives maps of other shapes."""

    def wrong(network, context):
        edited = with_kernel(lambda d: Dense(2 * d.kernel))(network, context).network
        return Surgery(edited, PROMISE, carried={2: Carry(2, columns=np.ones((9, 9)))})

    made = bench(attrs.evolve(RECIPE, state_at_surgery="carry"))
    first = made.perform(Job(0, None, steps=2), None)
    outcome = made.perform(Job(1, 0, (Mine(wrong),), steps=2), first.state)
    assert outcome.failure.reason.startswith("ValueError: matmul")
    assert outcome.failure.plugin == "my-plugin 1.2"


@pytest.mark.parametrize("step", ["measure", "candidates"])
def test_whatever_else_goes_wrong_fails_the_job(monkeypatch, step):
    """What is measured or proposed around the operations too."""

    def fail(*_):
        raise np.linalg.LinAlgError("did not converge")

    made = bench()
    monkeypatch.setattr(made._meter, "measure", fail)
    monkeypatch.setattr(Recommender, "candidates", fail)
    surgery = (AddNeurons(0, 1),) if step == "measure" else ()
    outcome = made.perform(Job(0, None, surgery, steps=1, thresholds=(0.1, 1.0)), None)
    assert outcome.failure.reason == "LinAlgError: did not converge"


OPTIMIZERS = [SGD(0.1), SGD(0.1, momentum=0.9), Adam(), AdamW(), RMSprop(), RMSprop(momentum=0.5)]


@pytest.mark.parametrize("before", OPTIMIZERS, ids=repr)
@pytest.mark.parametrize("now", OPTIMIZERS, ids=repr)
@pytest.mark.parametrize("at_surgery", ["carry", "reset"])
def test_a_state_of_another_optimizer_is_gone_on_with_afresh(before, now, at_surgery):
    """As a run is whose optimizer was changed; of one with the same arrays it goes on."""
    recipe = attrs.evolve(RECIPE, state_at_surgery=at_surgery)
    first = bench(attrs.evolve(recipe, optimizer=before)).perform(Job(0, None, steps=4), None)
    made = bench(attrs.evolve(recipe, optimizer=now))
    outcome = made.perform(Job(1, 0, steps=3), first.state)
    assert not outcome.failed
    kept = slot_names(before) == slot_names(now)
    assert outcome.state.slots.updates == (7 if kept else 3)
    assert not made.perform(Job(2, 0, (AddNeurons(0, 1),), steps=3), first.state).failed


def test_operations_get_a_probe_and_a_key_of_their_own():
    """Raw training samples, at most 1,024, and a generator that no other job or operation draws from."""
    contexts = []

    def look(network, context):
        contexts.append(context)
        return surgery(network)

    many = labelled(NETWORK, PROBE_SAMPLES + 5)
    made = bench(train=many)
    made.perform(Job(0, None, (Mine(look), Mine(look))), None)
    made.perform(Job(1, None, (Mine(look),)), None)
    for context in contexts:
        assert np.array_equal(context.probe, many.x[:PROBE_SAMPLES])
    draws = [context.generator().random() for context in contexts]
    assert len(set(draws)) == 3
    assert contexts[0].generator().random() == draws[0]


def test_proposals_are_made_where_the_job_asks_for_them():
    """On the trained network, with the job's thresholds."""
    job = Job(4, None, steps=2)
    assert bench().perform(job, None).proposals == ()
    outcome = bench().perform(attrs.evolve(job, thresholds=(0.1, 1.0)), None)
    wanted = Recommender(OPERATIONS, 0.1, 1.0).candidates(4, outcome.state.network, Limits())
    assert list(outcome.proposals) == wanted
    assert outcome.faults == ()


@pytest.mark.parametrize("error", [ValueError("no idea"), SystemExit(3)])
def test_an_operation_that_raises_while_it_proposes_is_a_fault_of_its_own(error):
    """The job is as good as ever."""

    @attrs.frozen
    class Broken(Mine):
        @classmethod
        def propose(cls, network, analysis):
            raise error

    made = bench(operations={**OPERATIONS, "mine": Broken})
    outcome = made.perform(Job(0, None, steps=1, thresholds=(0.005, 0.3)), None)
    (fault,) = outcome.faults
    assert fault.reason == f"{type(error).__name__}: {error}"
    assert fault.plugin == "my-plugin 1.2"
    assert not outcome.failed
    assert len(outcome.proposals) > 1


def test_seconds_are_told_but_not_recorded():
    """The journal holds no timing."""
    outcome = bench().perform(Job(0, None, (AddNeurons(0, 1),), steps=1), None)
    assert {"surgery", "training", "evaluation"} <= set(outcome.seconds)
    assert all(value >= 0 for value in outcome.seconds.values())
    assert "seconds" not in outcome.to_json()
