"""Training: what the conformance suite cannot see from outside."""

import gc
from math import inf

import attrs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nas_surgery.errors import BackendError
from nas_surgery.network import ACTIVATIONS, Array, Dropout, Flatten, Network
from nas_surgery.testing.backend.base import state_bits
from nas_surgery.testing.backend.optimizers import OPTIMIZERS
from nas_surgery.testing.builders import build, labelled
from nas_surgery.testing.networks import networks
from nas_surgery.testing.oracles import assert_close, assert_same_parameters, train_reference
from nas_surgery.training.evaluation import LOSSES
from nas_surgery.training.optimizers import SGD, Adam, Optimizer
from nas_surgery.training.plans import Recipe
from nas_surgery.training.state import Samples, TrainState, apply_prefix
from nas_surgery_tensorflow import load

BACKEND = load()

from nas_surgery_tensorflow import program, stretches, train  # noqa: E402  need TensorFlow
from nas_surgery_tensorflow.xla import updates_before_xla  # noqa: E402

SAMPLES = 22  # in batches of 4: six steps an epoch, the last of two samples


@given(networks(), st.sampled_from(LOSSES), st.sampled_from([SGD(0.1), SGD(0.1, 0.9), Adam(0.01)]))
@settings(max_examples=15, deadline=None)
def test_every_network_trains_like_the_reference(
    network: Network, loss: str, optimizer: Optimizer
) -> None:
    """Whatever the layers and their order, Dropout with its very masks included."""
    samples = labelled(network, 7, loss=loss)
    plan = Recipe(optimizer, loss, batch_size=3).plan(7, 2, 4)
    state = TrainState(network, None, 2)
    after, losses = BACKEND.train(state, BACKEND.place(samples), plan)
    wanted, wanted_losses = train_reference(state, samples, plan)
    assert_close(losses, wanted_losses, 1e-9, "losses")
    assert_same_parameters(after.network.parameters(), wanted.network.parameters(), 1e-7)


def trained(
    start: TrainState, recipe: Recipe, cuts: tuple[int, ...]
) -> tuple[dict[str, bytes], Array]:
    """Bits of the state and losses behind 16 steps, cut at the given ones."""
    placed, state, losses = BACKEND.place(labelled(start.network, SAMPLES)), start, []
    for first, last in zip((0, *cuts), (*cuts, 16), strict=True):
        plan = recipe.plan(SAMPLES, first, last - first)
        state, part = BACKEND.train(state, placed, plan)
        losses.append(part)
    return state_bits(state), np.concatenate(losses)


@pytest.mark.parametrize("name", ["sgd", "nesterov weight decay", "adamw", "rmsprop momentum"])
def test_no_cut_shows_though_xla_takes_over_on_the_way(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """XLA compiles from the ninth update on, in mid-epoch: cuts before, at and behind it leave no trace,
    and XLA's numbers agree with the reference."""
    monkeypatch.setattr(train, "updates_before_xla", lambda network, device: 8)
    compiled = count_programs(monkeypatch)
    network = build(6, 6, "relu", Dropout(0.4), 70, "tanh", 3)
    start, recipe = TrainState(network.astype(np.float32)), Recipe(OPTIMIZERS[name], batch_size=4)
    bits, losses = trained(start, recipe, ())
    assert compiled == [False, False, True, True]
    for cuts in [(8,), (3, 10), (12,)]:
        again, more = trained(start, recipe, cuts)
        assert again == bits
        assert more.tobytes() == losses.tobytes()
    plan = recipe.plan(SAMPLES, 0, 16)
    wanted, wanted_losses = train_reference(start, labelled(network, SAMPLES), plan)
    assert_close(losses, wanted_losses, 1e-5, "losses")
    last = list(wanted.network.parameters())[-1]
    assert_close(
        np.frombuffer(bits[last], np.float32), wanted.network.parameters()[last], 1e-5, last
    )


def count_programs(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether XLA ran each stretch, in turn."""
    used, function = [], program.Program.function

    def counted(self: program.Program, arguments: program.Arguments) -> object:
        used.append(self.xla)
        return function(self, arguments)

    monkeypatch.setattr(program.Program, "function", counted)
    return used


def test_xla_waits_until_a_topology_has_lasted_and_needs_small_kernels_on_the_cpu() -> None:
    """The rule knows topology, device and updates only: not what the plan still holds."""
    small, large = build(784, 10, 10), build(784, 300, 10)
    assert updates_before_xla(small, "cpu") == 2**14
    assert updates_before_xla(large, "cpu") == inf
    assert updates_before_xla(large, "gpu:1") == 2**12


def test_a_topology_is_traced_once() -> None:
    """Not again for other weights, learning rates, epochs, parts of epochs, states or data sets."""
    first, second = (build(7, 9, "relu", 3, seed=seed, dtype=np.float32) for seed in (1, 2))
    program._traced.cache_clear()
    for network, rate, samples in [(first, 0.1, 22), (second, 0.3, 22), (first, 0.1, 39)]:
        state, data = TrainState(network), BACKEND.place(labelled(network, samples))
        for steps in (1, 3, 13):
            plan = Recipe(SGD(rate), batch_size=4).plan(samples, state.step, steps)
            state, _ = BACKEND.train(state, data, plan)
    assert program._traced.cache_info().misses == 1


def test_forgotten_topologies_leave_nothing_behind() -> None:
    """The cache is bounded, and no registry of TensorFlow holds a graph of what fell out of it."""
    from tensorflow.python.framework.func_graph import FuncGraph

    def graphs() -> int:
        gc.collect()
        # by type, because isinstance asks every object, and some of other libraries warn when asked
        return sum(issubclass(type(thing), FuncGraph) for thing in gc.get_objects())

    assert program._traced.cache_info().maxsize == program.KEPT
    program._traced.cache_clear()
    before = graphs()
    network = build(5, *(item for name in ACTIVATIONS for item in (4, name)), Dropout(0.1), 3)
    samples = labelled(network, 6)
    BACKEND.train(TrainState(network), samples, Recipe(Adam(), batch_size=3).plan(6, 0, 2))
    assert graphs() > before
    program._traced.cache_clear()
    assert graphs() == before


def test_cutting_an_epoch_to_bound_memory_changes_no_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Dropout masks of a long epoch come in several stretches; the steps stay the same."""
    network = build(6, 6, "relu", Dropout(0.3), 3, dtype=np.float32)
    start, recipe = TrainState(network), Recipe(SGD(0.1, 0.9), batch_size=4)
    bits, losses = trained(start, recipe, ())
    monkeypatch.setattr(stretches, "HELD", 6 * 4 * 2)
    used = count_programs(monkeypatch)
    again, more = trained(start, recipe, ())
    assert len(used) == 8  # 6 + 6 + 4 steps, two at once
    assert again == bits
    assert more.tobytes() == losses.tobytes()


def test_data_are_moved_once_for_all_networks_of_a_run() -> None:
    """Networks that share their frozen layers find the same tensors; another dtype gets its own."""
    first = build((2, 3), Flatten(), 4, "relu", 3, dtype=np.float32)
    second = build((2, 3), Flatten(), 7, "tanh", 3, dtype=np.float32)
    placed = BACKEND.place(labelled(first, 5))
    assert placed.tensors(first) is placed.tensors(second)
    assert placed.tensors(first.astype(np.float64))[0].dtype == "float64"


def losses_with_nan(network: Network) -> list[float]:
    """Of two epochs of one batch each, where an input is NaN."""
    drawn = labelled(network, 4)
    samples = attrs.evolve(drawn, x=np.where(np.arange(4) == 2, np.nan, drawn.x))
    return BACKEND.train(TrainState(network), samples, Recipe().plan(4, 0, 2))[1].tolist()


@pytest.mark.parametrize("function", ["relu", "relu6", "leaky_relu", "elu"])
def test_nan_is_not_lost_in_an_activation(function: str) -> None:
    """TensorFlow's fused kernels turn NaN into 0 there: training would go on with broken weights."""
    network = build(4, 4, function, 4, function, 3, dtype=np.float32)
    assert np.isnan(losses_with_nan(network)).tolist() == [True]


def test_nan_is_not_lost_with_xla_either(monkeypatch: pytest.MonkeyPatch) -> None:
    """XLA's own maximum and minimum may drop it."""
    monkeypatch.setattr(train, "updates_before_xla", lambda network, device: 0)
    network = build(4, 4, "relu", 4, "relu6", 3, dtype=np.float32)
    assert np.isnan(losses_with_nan(network)).tolist() == [True]


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([0, 1, 3], r"class indices must lie in 0…2, got 0…3"),
        ([0, -1, 2], r"class indices must lie in 0…2, got -1…2"),
        ([0.0, 1.0, 2.0], r"needs class indices.*float64"),
        ([[0], [1], [2]], r"needs class indices.*\(3, 1\)"),
    ],
)
def test_labels_that_are_no_classes_are_refused(labels: list[object], message: str) -> None:
    """Compiled by XLA they would give NaN, or nothing at all."""
    network = build(4, 3)
    samples = Samples(labelled(network, 3).x, np.array(labels))
    with pytest.raises(BackendError, match=message):
        BACKEND.train(TrainState(network), samples, Recipe().plan(3, 0, 1))


def test_samples_of_another_shape_are_refused() -> None:
    """The error names both shapes."""
    network = Network.dense(4, (3,), 2)
    with pytest.raises(BackendError, match=r"shape \(4,\) are expected, got \(5,\)"):
        BACKEND.predict(network, np.zeros((2, 5), np.float32))


def test_samples_from_behind_the_first_layer_to_train_are_refused() -> None:
    """Data behind two frozen layers cannot train a network that has one."""
    long = build((2, 3), Flatten(), "relu", 4, dtype=np.float32)
    placed = BACKEND.place(apply_prefix(long, labelled(long, 3)))
    with pytest.raises(BackendError, match="enter layer 2, but training starts at layer 1"):
        BACKEND.predict(build((2, 3), Flatten(), 4, dtype=np.float32), placed)
