"""The conformance suite catches backends that are almost right."""

import inspect
import subprocess
import sys
from functools import partial

import attrs
import numpy as np
import pytest

from nas_surgery.network import Activation, Dense, Dropout, Network
from nas_surgery.numpy_backend.backend import NumpyBackend
from nas_surgery.testing import BackendConformance
from nas_surgery.testing.backend import dropout
from nas_surgery.testing.backend.native import NETWORKS
from nas_surgery.training.backend import Backend
from nas_surgery.training.optimizers import Adam, AdamW, RMSprop
from nas_surgery.training.plans import batches
from nas_surgery.training.state import Slots


class Suite(BackendConformance):
    """Not named Test: pytest collects the suite elsewhere."""


class Faulty(NumpyBackend):
    """The NumPy backend with its inputs or results slightly changed."""

    def train(self, state, data, plan):
        plan = self.change_plan(plan)
        after, losses = super().train(self.change_state(state), data, plan)
        return self.change_after(state, after), self.change_losses(losses, plan)

    def predict(self, network, x):
        return super().predict(self.change_network(network), x)

    def change_plan(self, plan):
        return plan

    def change_state(self, state):
        return attrs.evolve(state, network=self.change_network(state.network))

    def change_after(self, before, after):
        return after

    def change_network(self, network):
        return network

    def change_losses(self, losses, plan):
        return losses


def evolve_layers(network, change):
    return Network(network.input_shape, [change(layer) for layer in network.layers])


def with_optimizer(change):
    class Fault(Faulty):
        def change_plan(self, plan):
            return attrs.evolve(plan, optimizer=change(plan.optimizer))

    return Fault


class TransposesSquareKernels(Faulty):
    def change_network(self, network):
        return evolve_layers(network, self.transposed)

    def transposed(self, layer):
        square = isinstance(layer, Dense) and layer.fan_in == layer.units
        return Dense(layer.kernel.T, layer.bias) if square else layer


class TakesGeluForSilu(Faulty):
    def change_network(self, network):
        gelu, silu = Activation("gelu"), Activation("silu")
        return evolve_layers(network, lambda layer: silu if layer == gelu else layer)


class LosesTheBias(Faulty):
    def change_network(self, network):
        return evolve_layers(network, lambda a: Dense(a.kernel) if isinstance(a, Dense) else a)


class PredictsOneRowAtLeast(NumpyBackend):
    def predict(self, network, x):
        return np.atleast_2d(super().predict(network, x)) if len(x) else np.zeros((1, 3))


class DropsThePartialBatch(Faulty):
    def change_plan(self, plan):
        size = plan.batch_size
        order = tuple(part[: max(size, len(part) // size * size)] for part in plan.order)
        return attrs.evolve(plan, order=order)


class IgnoresTheSchedule(Faulty):
    def change_plan(self, plan):
        return attrs.evolve(plan, rates=np.full_like(plan.rates, plan.optimizer.learning_rate))


class IgnoresClipping(Faulty):
    def change_plan(self, plan):
        return attrs.evolve(plan, clip_norm=None)


class ForgetsTheSlots(Faulty):
    def change_state(self, state):
        return attrs.evolve(state, slots=None)


class ForgetsTheCountOfUpdates(Faulty):
    def change_state(self, state):
        return attrs.evolve(state, slots=state.slots and Slots(state.slots.values, 0))


class ReturnsTransposedSlots(Faulty):
    def change_after(self, before, after):
        values = {s: {n: a.T for n, a in v.items()} for s, v in after.slots.values.items()}
        return attrs.evolve(after, slots=Slots(values, after.slots.updates))


class ForgetsTheStep(Faulty):
    def change_after(self, before, after):
        return attrs.evolve(after, step=before.step)


class CountsStepsFromZero(Faulty):
    def change_state(self, state):
        return attrs.evolve(state, step=0)

    def change_after(self, before, after):
        return attrs.evolve(after, step=before.step + after.step)


class AddsUpLosses(Faulty):
    def change_losses(self, losses, plan):
        return losses * [len(batch) for batch in batches(plan)][: len(losses)]


class ReportsLossesLate(Faulty):
    def change_losses(self, losses, plan):
        return np.append(losses[1:], losses[-1:])


class HasARunningGenerator(Faulty):
    calls = 0

    def change_plan(self, plan):
        type(self).calls += 1
        return attrs.evolve(plan, seed=self.calls)


class SharesOneMask(Faulty):
    def change_plan(self, plan):
        return attrs.evolve(plan, seed=0)


class DropsTooMuch(Faulty):
    def change_network(self, network):
        return evolve_layers(network, lambda a: Dropout(0.4) if isinstance(a, Dropout) else a)


class GoesOnAfterNan(Faulty):
    def change_losses(self, losses, plan):
        return np.append(losses, np.full(plan.steps - len(losses), np.nan))


class WritesToTheSamples(NumpyBackend):
    def train(self, state, data, plan):
        result = super().train(state, data, plan)
        data.x[0] += 1
        return result


class TrainsUnknownLayers(NumpyBackend):
    def check(self, network):
        pass


class LooksALittleLate(NumpyBackend):
    def train(self, state, data, plan, watch=None):
        state, losses = super().train(state, data, plan)
        for part in plan.order if watch else ():
            watch(losses[: len(part)], partial(self.predict, state.network))
        return state, losses


class TrainsDifferentlyWhenWatched(NumpyBackend):
    def train(self, state, data, plan, watch=None):
        seed = plan.seed if watch is None else plan.seed + 1
        return super().train(state, data, attrs.evolve(plan, seed=seed), watch)


class DropsWhileItLooks(NumpyBackend):
    def train(self, state, data, plan, watch=None):
        def told(losses, look):
            watch(losses, lambda samples: 0.7 * look(samples))

        return super().train(state, data, plan, watch and told)


class PlacesAnywhere(NumpyBackend):
    def place(self, samples, device="cpu"):
        return samples


FAULTS = [
    (TransposesSquareKernels, "every_structure_agrees_with_the_forward_pass", "square kernels", "float64"),
    (TakesGeluForSilu, "every_activation_agrees_with_the_forward_pass", "gelu", "float32"),
    (LosesTheBias, "every_structure_agrees_with_the_forward_pass", "one layer", "float32"),
    (PredictsOneRowAtLeast, "any_number_of_samples_can_be_predicted", 0),
    (TransposesSquareKernels, "gradients_of_every_structure_agree_with_finite_differences", "square kernels", "mean_squared_error", "float64"),
    (TakesGeluForSilu, "gradients_of_every_activation_agree_with_finite_differences", "gelu", "float32"),
    (DropsThePartialBatch, "batches_of_any_size_agree_with_the_reference", 5, "float64"),
    (IgnoresTheSchedule, "every_schedule_agrees_with_the_reference", "momentum", "cosine"),
    (IgnoresTheSchedule, "every_schedule_agrees_with_the_reference", "adam", "step"),
    (IgnoresClipping, "clipping_agrees_with_the_reference", "adamw", 0.3),
    (ForgetsTheSlots, "a_cut_leaves_no_trace", "nesterov", 4),
    (ForgetsTheSlots, "slots_of_another_backend_can_be_continued", "rmsprop momentum"),
    (ForgetsTheCountOfUpdates, "a_cut_leaves_no_trace", "adam", 6),
    (ReturnsTransposedSlots, "five_steps_agree_with_the_reference", "momentum", "float64"),
    (ForgetsTheStep, "batches_of_any_size_agree_with_the_reference", 5, "float32"),
    (CountsStepsFromZero, "a_cut_leaves_no_trace_under_dropout", 4),
    (AddsUpLosses, "losses_are_means_over_each_batch", "mean_squared_error", "float32"),
    (ReportsLossesLate, "a_loss_is_taken_before_the_update_of_its_step"),
    (HasARunningGenerator, "a_cut_leaves_no_trace_under_dropout", 4),
    (CountsStepsFromZero, "masks_differ_by_sample_step_and_seed"),
    (SharesOneMask, "masks_differ_by_sample_step_and_seed"),
    (DropsTooMuch, "values_are_dropped_at_the_rate_and_the_rest_rescaled", dropout.hidden_layer),
    (GoesOnAfterNan, "training_ends_early_on_nan"),
    (WritesToTheSamples, "nothing_that_comes_in_is_modified", "float32"),
    (TrainsUnknownLayers, "an_unknown_layer_is_refused"),
    (LooksALittleLate, "looks_see_what_training_so_far_has_made", "one layer"),
    (TrainsDifferentlyWhenWatched, "being_watched_changes_no_bit", "adamw"),
    (DropsWhileItLooks, "looks_agree_with_the_reference", "float32"),
    (ForgetsTheSlots, "being_watched_changes_no_bit", "adamw"),
    (PlacesAnywhere, "an_unknown_device_is_refused"),
]  # fmt: skip

OPTIMIZER_FAULTS = {
    "nesterov": lambda o: attrs.evolve(o, nesterov=False),
    "nesterov weight decay": lambda o: attrs.evolve(o, weight_decay=0.0),
    "sgd weight decay": lambda o: attrs.evolve(o, weight_decay=2 * o.weight_decay),
    "momentum": lambda o: attrs.evolve(o, momentum=0.89),
    "adam large epsilon": lambda o: attrs.evolve(o, epsilon=o.epsilon**0.99),
    "adam weight decay": lambda o: AdamW(o.learning_rate, weight_decay=o.weight_decay),
    "adamw": lambda o: Adam(o.learning_rate, weight_decay=o.weight_decay),
    "rmsprop large epsilon": lambda o: attrs.evolve(o, epsilon=o.epsilon**0.99),
    "rmsprop": lambda o: Adam(o.learning_rate, beta1=0.0, beta2=o.rho),
    "rmsprop momentum": lambda o: RMSprop(o.learning_rate, weight_decay=o.weight_decay),
}


def run(fault: type[Backend], name: str, *arguments):
    """One test of the suite on a backend, with the arguments in the order of its signature."""
    test = getattr(Suite(), f"test_{name}")
    known = list(inspect.signature(test).parameters)[1:]
    test(fault(), **dict(zip(known, arguments, strict=True)))


def what_fails():
    """An assertion, an exception that a fault leads to, or pytest's own DID NOT RAISE."""
    return pytest.raises((AssertionError, ValueError, pytest.fail.Exception))


@pytest.mark.parametrize(
    ("fault", "name", "arguments"),
    [(fault, name, arguments) for fault, name, *arguments in FAULTS],
    ids=[f"{fault.__name__}-{name}" for fault, name, *_ in FAULTS],
)
def test_a_fault_is_caught(fault, name, arguments):
    """The named test passes on the NumPy backend and fails on the faulty one."""
    run(NumpyBackend, name, *arguments)
    with what_fails():
        run(fault, name, *arguments)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", OPTIMIZER_FAULTS)
def test_a_misread_hyperparameter_is_caught(name, dtype):
    """Decay coupled or not, epsilon a little off, no bias correction, momentum lost: float32 shows it too."""
    fault = with_optimizer(OPTIMIZER_FAULTS[name])
    with what_fails():
        run(fault, "five_steps_agree_with_the_reference", name, dtype)


@pytest.mark.parametrize("backend", [Faulty, with_optimizer(lambda optimizer: optimizer)])
def test_the_wrapper_alone_is_no_fault(backend):
    """What is caught above is the change, not the class around it."""
    run(backend, "five_steps_agree_with_the_reference", "adam", "float64")
    run(backend, "a_cut_leaves_no_trace", "adam", 4)
    run(backend, "being_watched_changes_no_bit", "adamw")  # its `train` cannot be watched


SUITES = """
import pytest
from nas_surgery.numpy_backend.backend import NumpyBackend
from nas_surgery.testing import BackendConformance, on_device

class TwoDevices(NumpyBackend):
    def devices(self):
        return ("chip", "cpu")

class TestPlain(BackendConformance):
    native_model = {native}
    float64 = {float64}

    @pytest.fixture
    def backend(self):
        return NumpyBackend()

@on_device("chip", NumpyBackend)
class TestNowhere(TestPlain):
    pass

@on_device("chip", TwoDevices)
class TestThere(TestPlain):
    def test_device(self):
        assert self.device == "chip"
"""


@pytest.mark.parametrize("native", [True, False])
@pytest.mark.parametrize("float64", [True, False])
def test_what_a_backend_does_not_offer_is_not_collected(tmp_path, native, float64):
    """No skips: neither an accelerator that is not there, nor a dtype or a native model."""
    file = tmp_path / "test_suites.py"
    file.write_text(SUITES.format(native=native, float64=float64))
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run([*command, str(file)], cwd=tmp_path, capture_output=True, text=True)
    names = [line.partition("::")[2] for line in done.stdout.splitlines() if "::" in line]
    assert not [name for name in names if name.startswith("TestNowhere")]
    assert "TestThere::test_device" in names
    assert any("round_trip" in name for name in names) == native
    assert any("without_a_native_model" in name for name in names) != native
    assert any("float64" in name for name in names) == float64
    assert any("float32" in name for name in names)


def test_every_kind_of_layer_is_held_to_the_suite():
    """A new one without a network there would pass on every backend that ignores it."""
    met = {layer.kind for network in NETWORKS.values() for layer in network.layers}
    assert met == Backend.layer_kinds
