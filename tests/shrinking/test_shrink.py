"""From a network and samples to a smaller network, by every kind of budget."""

import numpy as np
import pytest

import nas_surgery as ns
from nas_surgery.errors import ArgumentError, BackendError, DataError, OperationError
from nas_surgery.shrinking.budget import Budget
from nas_surgery.shrinking.latency import measured_latency
from nas_surgery.shrinking.models import opened
from nas_surgery.shrinking.shrink import shrinking
from nas_surgery.shrinking.shrunk import Wishes
from nas_surgery.testing.zoo import ZOO, lenet, resnet8, zoo_inputs


@pytest.fixture(scope="module")
def data():
    """Samples of few dimensions, which a network has more units for than it needs, and labels."""
    rng = np.random.default_rng(0)
    x = (rng.normal(size=(300, 6)) @ rng.normal(size=(6, 20))).astype(np.float32)
    return x, rng.integers(0, 5, 300)


@pytest.fixture(scope="module")
def network():
    return ns.Network.dense((20,), hidden=(48, 32), outputs=5, activation="relu", seed=1)


def work_on(network, data, **wishes):
    return shrinking(opened(network), data, Wishes(**wishes))


@pytest.mark.parametrize("name", ["lenet", "resnet8", "mobilenet", "lstm", "vit"])
def test_budgets_are_met_by_what_comes_out(name):
    """The network itself counts no more than the budget, and computes finite outputs of the same shape."""
    shapes = {"lstm": (12, 8), "vit": (8, 8, 3)}
    network = ZOO[name](shapes.get(name, (12, 12, 2)), width=4)
    x, share = zoo_inputs(network, 64), 0.9 if name == "vit" else 0.6
    small = ns.shrink(network, x, parameters=share)
    assert small.parameter_count <= share * network.parameter_count
    assert small.forward(x[:2]).shape == network.forward(x[:2]).shape
    assert np.isfinite(small.forward(x[:2])).all()


def test_rest_makes_up_for_what_goes(network, data):
    """With data outputs stay far closer than without, at the same budget."""
    x, _ = data
    wanted = network.forward(x)
    off = [
        np.mean((ns.shrink(network, given, parameters=0.5).forward(x) - wanted) ** 2)
        for given in (x, None)
    ]
    assert off[0] < 0.2 * off[1]


def test_data_are_taken_in_any_form(network, data, tmp_path):
    """Arrays, pairs, mappings and files give the same network."""
    x, y = data
    np.savez(tmp_path / "pair.npz", x=x, y=y)
    np.save(tmp_path / "x.npy", x)
    first = ns.shrink(network, x, macs="50%")
    for form in ((x, y), {"x": x}, tmp_path / "pair.npz", str(tmp_path / "x.npy")):
        assert ns.shrink(network, form, macs=0.5).equals(first)


def test_labels_tell_accuracy_on_samples_held_back(network, data):
    """Agreement and accuracy are those that predictions on every fifth sample give."""
    x, y = data
    found = work_on(network, data).to(Budget.of(macs=0.3))
    held, labels = x[::5], y[::5]
    before, after = (n.forward(held).argmax(1) for n in (network, found.network))
    assert found.judged == 60
    assert found.verdict.agreement == np.mean(before == after)
    assert found.verdict.accuracy == (np.mean(before == labels), np.mean(after == labels))


def test_max_drop_gives_the_smallest_that_keeps_to_it(network, data):
    """No more samples held back change their class than allowed; more of a drop gives no larger network."""
    x, _ = data
    tight, loose = (ns.shrink(network, x, max_drop=points) for points in (2, 30))
    for small, points in ((tight, 2), (loose, 30)):
        changed = small.forward(x[::5]).argmax(1) != network.forward(x[::5]).argmax(1)
        assert changed.mean() <= points / 100
    assert loose.macs <= tight.macs < network.macs


def test_latency_is_measured_and_kept_to(monkeypatch, network, data):
    """The search takes the largest network that is measured to be fast enough; the clock is told to go by size."""
    from nas_surgery.shrinking import choosing

    class Clock:
        def __init__(self, network):
            self.milliseconds = network.macs / 1000

    monkeypatch.setattr(choosing, "measured_latency", Clock)
    small = ns.shrink(network, data[0], latency_ms=1.5)
    assert 1200 < small.macs <= 1500
    assert ns.shrink(network, data[0], latency_ms=1e6).macs == network.macs
    with pytest.raises(OperationError, match=r"0\.001 ms cannot be reached.* fastest tried takes"):
        ns.shrink(network, data[0], latency_ms=0.001)


def test_latency_is_a_time(network):
    """What onnxruntime needs is positive, and says for which batch and threads."""
    found = measured_latency(network, batch=2)
    assert found.milliseconds > 0
    assert (found.batch, found.threads) == (2, 1)


def test_only_and_exclude(network, data):
    """Layers that are excluded, or are not among those named, keep their widths."""
    assert ns.shrink(network, data[0], macs=0.7, exclude=[0]).hidden[0] == 48
    assert ns.shrink(network, data[0], macs=0.7, only=[0]).hidden[1] == 32


def test_steps_meet_the_budget_and_differ(network, data):
    """In several steps the budget is met as in one, and sizes are told from the first to the last."""
    found = work_on(network, data, steps=3).to(Budget.of(macs=0.4))
    assert found.network.macs <= 0.4 * network.macs
    assert [before for before, _ in found.sizes.values()] == [48, 32]
    assert tuple(after for _, after in found.sizes.values()) == found.network.hidden


def test_retraining_is_kept_only_where_it_is_better(network, data):
    """Trained on the original's outputs the network is closer to it on samples held back; at a rate that
    destroys it nothing changes."""
    x, _ = data
    plain, trained, spoilt = (
        ns.shrink(network, x, macs=0.2, **more)
        for more in ({}, {"retrain": 20, "rate": 1e-3}, {"retrain": 1, "rate": 1e3})
    )
    held = x[::5]
    off = [np.mean((n.forward(held) - network.forward(held)) ** 2) for n in (plain, trained)]
    assert off[1] < off[0]
    assert spoilt.equals(plain)


def test_retraining_heeds_labels(network, data):
    """With labels, those held back are no less often right than before."""
    x, y = data
    plain, trained = (ns.shrink(network, data, macs=0.2, retrain=n) for n in (0, 4))
    right = [np.mean(n.forward(x[::5]).argmax(1) == y[::5]) for n in (plain, trained)]
    assert right[1] >= right[0]


def test_a_front_has_all_sizes(network, data, tmp_path):
    """Sizes fall in equal shares to the budget, each file holds its network, and each keeps to its own."""
    ns.save(network, tmp_path / "model.onnx")
    files = ns.shrink(tmp_path / "model.onnx", data, macs=0.25, front=2, out=tmp_path / "front")
    assert [file.name for file in files] == ["model-1.onnx", "model-2.onnx"]
    shares = [ns.load(file).macs / network.macs for file in files]
    assert 0.35 < shares[0] <= 0.5
    assert 0.15 < shares[1] <= 0.25


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        ({}, ArgumentError, "one budget is needed"),
        ({"macs": 0.5, "parameters": 0.5}, ArgumentError, "one budget is needed"),
        ({"macs": -1}, ArgumentError, "positive number"),
        ({"macs": "half"}, ArgumentError, "positive number"),
        ({"macs": 2}, OperationError, "2 macs cannot be reached: the smallest .* has 26 "),
        ({"macs": 0.5, "only": [9]}, OperationError, "layer 9 has no channels .* have: 0, 2"),
        ({"macs": 0.5, "steps": 0}, ArgumentError, "steps: a whole number"),
        ({"max_drop": 1, "steps": 2}, ArgumentError, "steps: go with"),
        ({"macs": 0.5, "retrain": -1}, ArgumentError, "retrain: a number of 0 or more"),
        ({"macs": 0.5, "retrain": 1, "rate": 0}, ArgumentError, "rate: a number"),
        ({"macs": 0.5, "front": 0}, ArgumentError, "front: a whole number"),
        ({"max_drop": 1, "front": 2}, ArgumentError, "front: goes with"),
        ({"macs": 1.0, "front": 2}, ArgumentError, "front: macs of less than"),
    ],
)
def test_mistakes_are_named(network, data, given, error, words):
    """Each is one line that names the argument and what is taken."""
    with pytest.raises(error, match=words) as caught:
        ns.shrink(network, data, **given)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("x", "words"),
    [
        (np.zeros((10, 3), np.float32), r"samples of shape \(20,\) are needed, got \(3,\)"),
        (np.zeros((0, 20), np.float32), "needs samples, got none"),
        (np.full((10, 20), np.nan), "NaN"),
        ((np.zeros((10, 20)), np.zeros(3, int)), "10 samples, but 3 labels"),
        ((np.zeros((10, 20)), np.full(10, 7)), "label"),
        ({"z": 1}, "data need x or x_train"),
    ],
)
def test_data_that_do_not_fit_are_refused(network, x, words):
    """Wrong shapes, labels and numbers are named before any work."""
    with pytest.raises(DataError, match=words):
        ns.shrink(network, x, macs=0.5)


def test_few_samples_are_warned_about(network, data):
    """Less than a batch of samples is luck, and said to be."""
    with pytest.warns(UserWarning, match="8 calibration samples are few"):
        ns.shrink(network, data[0][:8], macs=0.5)


def test_a_backend_that_cannot_train_is_named():
    """Before the work, with the reason."""
    network = resnet8(width=4)
    with pytest.raises(BackendError, match=r"no backend can retrain .*numpy"):
        ns.shrink(network, zoo_inputs(network, 70), macs=0.5, retrain=1, backend="numpy")


def test_without_data_there_is_nothing_to_train_on(network):
    """Retraining and max_drop say what they lack."""
    with pytest.raises(ArgumentError, match="retrain: needs data"):
        ns.shrink(network, macs=0.5, retrain=1)
    with pytest.raises(OperationError, match="max_drop: needs data"):
        ns.shrink(network, max_drop=1)


def test_same_call_same_network():
    """Nothing depends on what was done before."""
    network = lenet((12, 12, 1), width=3)
    x = zoo_inputs(network, 70)
    assert ns.shrink(network, x, parameters=0.5).equals(ns.shrink(network, x, parameters=0.5))
