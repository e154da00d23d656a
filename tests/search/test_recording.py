"""The record per epoch: what it holds, that it is what training epoch by epoch shows, and what it looks at."""

from math import isnan

import numpy as np
import pytest

import nas_surgery as ns
from nas_surgery.network import keyed_generator
from nas_surgery.numpy_backend.backend import NumpyBackend
from nas_surgery.operations import OPERATIONS, AddNeurons
from nas_surgery.search.journal import plain
from nas_surgery.search.recording import FEWEST, MOST, Gauge
from nas_surgery.search.workbench import Workbench
from nas_surgery.strategies.jobs import Job, Outcome
from nas_surgery.testing.builders import build, labelled
from nas_surgery.training.epochs import Point
from nas_surgery.training.evaluation import evaluate
from nas_surgery.training.optimizers import SGD
from nas_surgery.training.plans import Recipe
from nas_surgery.training.state import Samples, TrainState

NETWORK = build(3, 5, "tanh", 4, dtype=np.float32)
TRAIN, VALIDATION = labelled(NETWORK, 10, seed=1), labelled(NETWORK, 7, seed=2)
RECIPE = Recipe(SGD(0.1, momentum=0.9), batch_size=4, seed=3)  # 3 batches an epoch: 4, 4, 2


def bench(backend=None, validation=VALIDATION):
    return Workbench(
        backend or NumpyBackend(), "cpu", RECIPE, NETWORK, TRAIN, validation, OPERATIONS
    )


class Unwatched(NumpyBackend):
    """A backend from before there was anything to watch."""

    def train(self, state, data, plan):
        return super().train(state, data, plan)


def by_hand(state, start, end, validation=VALIDATION):
    """The points of training from `start` to `end`, each from training anew until there."""
    points = []
    for stop in range(start, end + 1):
        trained, losses = NumpyBackend().train(state, TRAIN, RECIPE.plan(10, start, stop - start))
        if stop % 3 == 0 and stop > start:
            batches = losses[max(0, stop - start - 3) :]
            logits = NumpyBackend().predict(trained.network, validation)
            found = evaluate(logits, validation.y, RECIPE.loss)
            points.append((stop / 3, batches.mean(), found.loss, found.accuracy))
    return points


@pytest.mark.parametrize("backend", [NumpyBackend(), Unwatched()])
@pytest.mark.parametrize(("start", "steps"), [(0, 3), (0, 9), (2, 3), (2, 8), (1, 8), (0, 5)])
def test_points_are_those_of_training_until_there(backend, start, steps):
    """At the end of each epoch, wherever the job begins and ends; the first may hold fewer batches."""
    state = TrainState(NETWORK, None, start)
    told = []
    outcome = bench(backend).perform(
        Job(1, 0, steps=steps), state, lambda point, size: told.append((point, size))
    )
    wanted = by_hand(state, start, start + steps)
    assert wanted
    found = [tuple(point.to_json().values()) for point in outcome.curve]
    assert np.allclose(found, wanted, atol=1e-6)
    assert told == [(point, NETWORK.parameter_count) for point in outcome.curve]


def test_the_last_point_of_a_job_is_its_own_judgement():
    """Where the job ends with an epoch, nothing is computed twice, and both are the same figures."""
    passes = []

    class Counting(NumpyBackend):
        def predict(self, network, x):
            passes.append(len(x))
            return super().predict(network, x)

    outcome = bench(Counting()).perform(Job(0, None, steps=3), None)
    last = outcome.curve[-1]
    assert (last.validation_loss, last.validation_accuracy) == (outcome.loss, outcome.accuracy)
    assert last.training_loss == outcome.training_loss
    assert passes == [len(VALIDATION)]


def test_jobs_of_less_than_an_epoch_record_nothing():
    """Even if they pass the end of one."""
    outcome = bench().perform(Job(1, 0, steps=2), TrainState(NETWORK, None, 2))
    assert outcome.curve == ()
    assert "curve" not in outcome.to_json()


def test_the_network_behind_operations_is_told_with_its_size():
    """Surgery comes first."""
    told = []
    bench().perform(
        Job(0, None, (AddNeurons(0, 2, "pairs"),), steps=3), None, lambda *args: told.append(args)
    )
    assert [size for _, size in told] == [NETWORK.parameter_count + 2 * (3 + 1 + 4)]


def test_epochs_that_are_averaged_are_told_as_they_ended():
    """The points are those of plain training; the mean over the ends is the outcome's alone."""
    usual = bench().perform(Job(0, None, steps=9), None)
    averaged = bench().perform(Job(0, None, steps=9, average=2), None)
    assert averaged.loss != usual.loss
    assert np.allclose(
        [list(p.to_json().values()) for p in averaged.curve],
        [list(p.to_json().values()) for p in usual.curve],
        atol=1e-6,
    )


def test_a_refit_tells_no_validation_figures():
    """It trains on those samples; its epochs are longer, and count as what they are."""
    first = bench().perform(Job(0, None, steps=5), None)
    outcome = bench().perform(Job(1, 0, steps=10, refit=True), first.state)  # 5 batches an epoch
    assert [point.epoch for point in outcome.curve] == [10 / 3, 15 / 3]
    assert all(isnan(p.validation_loss) and isnan(p.validation_accuracy) for p in outcome.curve)


def test_points_come_back_from_a_journal():
    """With what was not finite, which JSON does not know; records from before have none."""
    outcome = bench().perform(Job(0, None, steps=6), None)
    record = outcome.to_json()
    assert Outcome.from_json(record, OPERATIONS).curve == outcome.curve
    del record["curve"]
    assert Outcome.from_json(record, OPERATIONS).curve == ()
    nothing = {**Point(1.0, 2.0).to_json(), "validation_loss": None, "validation_accuracy": None}
    assert isnan(Point.from_json(nothing).validation_loss)


@pytest.mark.parametrize(
    ("count", "training", "looked"),
    [
        (7, 10, 7),
        (FEWEST, 10, FEWEST),
        (2000, 100, FEWEST),
        (2000, 15000, 750),
        (10**4, 10**6, MOST),
    ],
)
def test_a_look_takes_a_twentieth_of_the_training_samples(count, training, looked):
    """Or fewer, and some hundreds in any case; spread over the validation part, so that order matters little."""
    x = np.arange(count, dtype=np.float32)[:, None]
    labels = keyed_generator(0, "labels", 0).integers(0, 3, count)
    gauge = Gauge(Samples(x, labels), Samples(x, labels), training, "cross_entropy", lambda x: x)
    assert len(gauge) == looked
    chosen = gauge.samples.x[:, 0].astype(int)
    assert len(set(chosen)) == looked
    assert chosen[0] == 0
    assert chosen[-1] > count - 1 - count / looked - 1
    logits = keyed_generator(0, "logits", 0).normal(size=(count, 3))
    wanted = evaluate(logits[chosen], labels[chosen], "cross_entropy")
    assert gauge.known(logits) == (wanted.loss, wanted.accuracy)
    assert gauge.looked(lambda samples: logits[samples.x[:, 0].astype(int)]) == gauge.known(logits)


@pytest.mark.parametrize("strategy", ["default", "paper"])
def test_a_run_tells_and_keeps_every_epoch(tmp_path, strategy):
    """Events as they happen, the same in events.jsonl; curves in the journal; the baseline without a number."""
    events = []
    spec = {
        "data": {"source": "sklearn:digits", "train_limit": 300},
        "network": {"hidden": [6]},
        "search": {"strategy": strategy, "max_epochs": 21},
        "run": {"baseline": True},
    }
    result = ns.run(spec, out=tmp_path / "run", observers=[events.append])
    told = [event.data for event in events if event.kind == "epoch"]
    names = ("epoch", "training_loss", "validation_loss", "validation_accuracy")
    kept = [
        {"job": None if record["job"] < 0 else record["job"], **point}
        for record in result.history
        if record["record"] == "outcome"
        for point in record.get("curve", ())
    ]
    assert all(tuple(point) == ("job", *names) for point in kept)
    shown = [{name: data[name] for name in ("job", *names)} for data in told]
    assert plain(shown) == kept
    assert [data["epoch"] for data in told if data["job"] is None] == list(range(1, 22))
    sizes = {r["job"]: r["parameters"] for r in result.history if r["record"] == "outcome"}
    assert all(d["parameters"] == sizes[-1 if d["job"] is None else d["job"]] for d in told)
    if strategy == "default":
        assert any(point["validation_loss"] is None for point in kept)  # of the refit
