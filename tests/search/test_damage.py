import numpy as np
import pytest

from nas_surgery.network import Normalize
from nas_surgery.numpy_backend.backend import NumpyBackend
from nas_surgery.operations import (
    OPERATIONS,
    AddNeurons,
    Context,
    FoldInputCentring,
    Identity,
    RemoveLayer,
    RemoveNeurons,
    Revive,
)
from nas_surgery.search.damage import SAMPLES, DamageMeter, combined, relative_change
from nas_surgery.search.workbench import Workbench
from nas_surgery.strategies.jobs import Job, Outcome
from nas_surgery.testing.builders import build, labelled
from nas_surgery.training.evaluation import evaluate
from nas_surgery.training.optimizers import SGD, Adam
from nas_surgery.training.plans import Recipe

NETWORK = build(4, 8, "relu", 6, "tanh", 3)  # no unit of it is silent
TRAIN, VALIDATION = labelled(NETWORK, 40, seed=1), labelled(NETWORK, 10, seed=2)


def bench(network=NETWORK, train=TRAIN, validation=VALIDATION, **recipe):
    settings = Recipe(**{"optimizer": SGD(0.1, momentum=0.9), "batch_size": 8, "seed": 3, **recipe})
    return Workbench(
        NumpyBackend(), "cpu", settings, network, train, validation, OPERATIONS, {}.get
    )


def meter(network=NETWORK, train=TRAIN, loss="cross_entropy"):
    return DamageMeter(NumpyBackend(), "cpu", network, train, loss)


@pytest.mark.parametrize("loss", ["cross_entropy", "mean_squared_error"])
def test_damage_is_the_change_of_outputs_loss_and_accuracy(loss):
    """Against `Network.forward` on the same samples."""
    train = labelled(NETWORK, 40, loss=loss)
    edited = RemoveLayer(0, "product")(NETWORK)
    found = meter(train=train, loss=loss).measure(NETWORK, edited, 0.5)
    a, b = NETWORK.forward(train.x), edited.forward(train.x)
    before, after = evaluate(a, train.y, loss), evaluate(b, train.y, loss)
    assert found.outputs == pytest.approx(np.linalg.norm(b - a) / np.linalg.norm(a))
    assert found.loss == pytest.approx(after.loss - before.loss)
    assert found.accuracy == pytest.approx(after.accuracy - before.accuracy)
    assert found.predicted == 0.5


def test_it_is_measured_on_samples_that_operations_did_not_see():
    """Those at the end of the training part: the first ones change nothing."""
    train = labelled(NETWORK, SAMPLES + 50, seed=1)
    edited = RemoveLayer(0, "product")(NETWORK)
    last = labelled(NETWORK, SAMPLES + 50, seed=1)
    last.x[:50] += 100
    found = [meter(train=t).measure(NETWORK, edited, None).outputs for t in (train, last)]
    assert found[0] == found[1]
    last.x[-1] += 100
    assert meter(train=last).measure(NETWORK, edited, None).outputs != found[0]


def test_preprocessing_is_passed_once():
    """The samples lie behind the frozen prefix; the outputs are those of raw inputs."""
    scaled = build(4, Normalize(np.ones(4), np.full(4, 2.0)), 8, "relu", 3)
    edited = RemoveLayer(1, "product")(scaled)
    found = meter(scaled).measure(scaled, edited, None).outputs
    a, b = scaled.forward(TRAIN.x), edited.forward(TRAIN.x)
    assert found == pytest.approx(np.linalg.norm(b - a) / np.linalg.norm(a))


def test_outcomes_hold_the_damage_before_any_retraining():
    """Training afterwards does not touch it, and it survives the journal."""
    first = bench().perform(Job(0, None, steps=5), None)
    operations = (RemoveNeurons(0, keep=4), RemoveNeurons(2, keep=4))
    short, long = (
        bench().perform(Job(1, 0, operations, steps=steps), first.state) for steps in (0, 20)
    )
    assert short.damage == long.damage
    assert short.damage["outputs"] > 0
    assert short.damage["predicted"] > 0
    again = Outcome.from_json(long.to_json(), OPERATIONS)
    assert again.damage == long.damage


def test_exact_surgery_does_no_damage_and_no_surgery_has_none():
    """Rounding apart; jobs that leave the network alone are not measured."""
    grown = bench().perform(Job(0, None, (AddNeurons(0, 4, "pairs"),)), None).damage
    assert grown["predicted"] == 0
    assert grown["outputs"] < 1e-12
    assert abs(grown["loss"]) < 1e-12
    for operations in ((), (Identity(),), (Revive(2),)):
        assert bench().perform(Job(0, None, operations), None).damage is None


def test_predictions_of_several_operations_add_up_as_if_independent():
    """Root of the sum of squares; unknown where one is unknown."""
    assert combined([0.3, 0.4]) == pytest.approx(0.5)
    assert combined([0.3, None]) is None
    assert combined([]) == 0


def test_a_network_that_says_nothing_is_compared_absolutely():
    """There is no scale to divide by."""
    assert relative_change(np.zeros((3, 2)), np.full((3, 2), 2.0)) == 2.0


def test_the_cost_counts_the_probes_passes():
    """Two for the damage (before and after), two for the pairs' centring and scale."""
    plain = bench().perform(Job(0, None), None).cost
    grown = bench().perform(Job(0, None, (AddNeurons(0, 4, "pairs"),)), None)
    extra = grown.cost.forward_macs - 10 * grown.network.macs
    assert grown.cost.forward_samples - plain.forward_samples == 2 * 40 + 2 * 40
    assert extra == 2 * 40 * NETWORK.macs + 40 * (NETWORK.macs + grown.network.macs)


def test_an_operation_must_not_change_what_the_data_have_passed():
    """Placed data lie behind the preprocessing; adding to it is fine, rewriting it is refused."""
    scaled = build(4, Normalize(np.ones(4), np.full(4, 2.0)), 8, "relu", 3)
    fold = bench(scaled).perform(Job(0, None, (FoldInputCentring(),)), None)
    assert fold.failed
    assert "preprocessing" in fold.failure.reason
    centred = bench(scaled).perform(Job(0, None, (FoldInputCentring("centre"),), 5), None)
    assert not centred.failed
    assert centred.damage["outputs"] < 1e-12


@pytest.mark.parametrize("optimizer", [SGD(0.1, momentum=0.9), Adam(0.01)])
def test_carried_state_trains_on_and_reset_state_starts_afresh(optimizer):
    """The reader's bias is in no new place: its slots are the old ones if carried, zero if reset."""
    name = "velocity" if isinstance(optimizer, SGD) else "first_moment"
    made = {}
    for mode in ("reset", "carry"):
        workbench = bench(optimizer=optimizer, state_at_surgery=mode)
        first = workbench.perform(Job(0, None, steps=10), None)
        grown = workbench.perform(Job(1, 0, (AddNeurons(0, 4, "pairs"),)), first.state)
        made[mode] = grown.state.slots
    assert made["reset"] is None
    held, old = made["carry"].values[name], first.state.slots.values[name]
    assert np.array_equal(held["layers.4.kernel"], old["layers.4.kernel"])
    assert np.array_equal(held["layers.0.kernel"][:, :8], old["layers.0.kernel"])
    assert not held["layers.0.kernel"][:, 8:].any()
    assert made["carry"].updates == first.state.slots.updates
    trained = workbench.perform(Job(2, 1, steps=5), grown.state)
    assert np.isfinite(trained.loss)


@pytest.mark.parametrize("mode", ["reset", "carry"])
@pytest.mark.parametrize("operation", [Identity(), Revive(2)])
def test_an_untouched_branch_continues_bit_for_bit(mode, operation):
    """Whatever happens to optimizer state at surgery: here there is none."""
    workbench = bench(state_at_surgery=mode)
    whole = workbench.perform(Job(0, None, steps=12), None)
    first = workbench.perform(Job(0, None, steps=5), None)
    second = workbench.perform(Job(1, 0, (operation,), steps=7), first.state)
    assert second.digest == whole.digest


def test_what_a_parent_puts_out_is_computed_once():
    """Candidates of one parent share it; another parent is asked anew."""
    other = build(4, 8, "relu", 6, "tanh", 3, seed=5)
    edited = RemoveLayer(0, "product")(NETWORK)
    asked = meter()
    first = asked.measure(NETWORK, edited, None)
    assert asked.measure(NETWORK, edited, None) == first
    assert asked.measure(other, edited, None) == meter().measure(other, edited, None) != first


def test_operations_are_given_the_probes_labels_and_the_loss():
    """A job widens by the gradient, exactly as the operation does by hand."""
    operation = AddNeurons(0, 4, "gradient")
    outcome = bench().perform(Job(2, None, (operation,)), None)
    context = Context(3, (2, 0), TRAIN.x, TRAIN.y, "cross_entropy")
    assert outcome.state.network.equals(operation.apply(NETWORK, context).network)
    assert not outcome.state.network.equals(operation(NETWORK, seed=3, probe=TRAIN.x))
