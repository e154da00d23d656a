"""The strategies that searches are held against: plain training, and edits by lot."""

import numpy as np
import pytest

import nas_surgery as ns
from nas_surgery.network import Network
from nas_surgery.numpy_backend.backend import NumpyBackend
from nas_surgery.operations import OPERATIONS
from nas_surgery.search.workbench import Workbench
from nas_surgery.strategies import Job, TrainStrategy
from nas_surgery.training.plans import Recipe
from nas_surgery.training.state import Samples, TrainState

X, Y = np.random.default_rng(0).normal(size=(60, 5)).astype(np.float32), np.arange(60) % 3


def spec(strategy, **search):
    """Six epochs from eight hidden units."""
    return {
        "data": {"scaling": "standard"},
        "network": {"hidden": [8]},
        "training": {"optimizer": "sgd", "learning_rate": 0.05, "batch_size": 8},
        "search": {"strategy": strategy, "max_epochs": 6, **search},
    }


def jobs(result):
    return [record for record in result.history if record["record"] == "job"]


def outcomes(result):
    return [record for record in result.history if record["record"] == "outcome"]


def test_plain_training_is_the_baseline():
    """One job, whose weights are bit for bit those of the baseline that a search trains beside."""
    alone = ns.run(spec("train"), data=(X, Y))
    beside = ns.run({**spec("paper"), "run": {"baseline": True}}, data=(X, Y))
    (outcome,) = outcomes(alone)
    baseline = next(record for record in outcomes(beside) if record["job"] == -1)
    assert outcome["digest"] == baseline["digest"]
    assert alone.summary["operations"] == []
    assert alone.summary["cost"]["relative"] == 1


def test_checkpoints_change_nothing_but_which_network_wins():
    """Training that is cut in pieces ends with the same weights, and the most accurate piece wins."""
    whole, cut = (ns.run(spec("train", checkpoints=n), data=(X, Y)) for n in (1, 4))
    assert outcomes(cut)[-1]["digest"] == outcomes(whole)[0]["digest"]
    assert len(jobs(cut)) == 4
    best = max(record["accuracy"] for record in outcomes(cut))
    assert cut.summary["accuracy"]["validation"] == best


def test_training_ends_where_it_is_accurate_enough():
    """At the first checkpoint that reaches the target."""
    result = ns.run(spec("train", checkpoints=6, target_accuracy=0.01), data=(X, Y))
    assert len(jobs(result)) == 1


def test_edits_by_lot_keep_to_their_time_and_to_the_limits():
    """Nothing is edited behind `until`, nothing grows beyond max_parameters, and every epoch is trained."""
    settings = {"warm_up": 0.1, "pause": 0.1, "until": 0.7, "max_parameters": 150}
    result = ns.run(spec("random-edits", **settings), data=(X, Y))
    edited = [job["operations"] != [] for job in jobs(result)]
    assert any(edited)
    assert not edited[-1]
    assert all(record["parameters"] <= 150 for record in outcomes(result))
    assert sum(job["steps"] for job in jobs(result)) == outcomes(result)[-1]["step"]
    assert outcomes(result)[-1]["step"] == 6 * jobs_per_epoch(result)


def jobs_per_epoch(result):
    """Batches of 8 in an epoch."""
    return -(-result.summary["data"]["train"] // 8)


def test_edits_by_lot_leave_layers_alone_that_are_excluded():
    """With the only hidden layer excluded, there is nothing to edit."""
    settings = {"warm_up": 0.1, "pause": 0.1, "until": 0.7, "exclude": [1]}
    result = ns.run(spec("random-edits", **settings), data=(X, Y))
    assert result.summary["operations"] == []


def test_edits_by_lot_depend_on_the_seed_alone():
    """The same seed, the same edits; others over a few seeds."""
    settings = {"warm_up": 0.1, "pause": 0.1, "until": 0.7}
    made = [
        ns.run({**spec("random-edits", **settings), "seed": seed}, data=(X, Y)).summary[
            "operations"
        ]
        for seed in (0, 0, 1, 2)
    ]
    assert made[0] == made[1]
    assert made[2] != made[3]


def test_an_edit_can_lose_the_weights_that_were_trained():
    """With weights_at_surgery = "redraw", every edited network begins anew, and none that is not edited."""
    settings = {"warm_up": 0.1, "pause": 0.1, "until": 0.7}
    kept = ns.run(spec("random-edits", **settings), data=(X, Y))
    values = spec("random-edits", **settings)
    values["training"]["weights_at_surgery"] = "redraw"
    lost = ns.run(values, data=(X, Y))
    first = next(i for i, job in enumerate(jobs(kept)) if job["operations"])
    assert jobs(lost)[: first + 1] == jobs(kept)[: first + 1]
    digests = [[record["digest"] for record in outcomes(result)] for result in (kept, lost)]
    assert digests[0][:first] == digests[1][:first]
    assert digests[0][first] != digests[1][first]
    sizes = [[record["parameters"] for record in outcomes(result)] for result in (kept, lost)]
    assert sizes[0] == sizes[1]


def test_new_weights_know_nothing_of_what_was_trained():
    """Two networks that trained differently are one and the same behind an edit that draws new weights."""
    start = Network.dense(5, (8,), 3, seed=0)
    samples = Samples(X, Y)
    recipe = Recipe(redraw="glorot_uniform", seed=4)
    bench = Workbench(NumpyBackend(), "cpu", recipe, start, samples, samples, OPERATIONS)
    edit = OPERATIONS["add_neurons"](layer=0, count=2)
    found = [
        bench.perform(Job(7, 0, (edit,)), TrainState(Network.dense(5, (8,), 3, seed=seed)))
        for seed in (1, 2)
    ]
    assert found[0].digest == found[1].digest != ""
    identity = OPERATIONS["identity"]()
    unedited = [
        bench.perform(Job(7, 0, (identity,)), TrainState(Network.dense(5, (8,), 3, seed=seed)))
        for seed in (1, 2)
    ]
    assert unedited[0].digest != unedited[1].digest


@pytest.mark.parametrize(
    ("strategy", "key"), [("train", "checkpoints"), ("random-edits", "warm_up")]
)
def test_settings_are_checked(strategy, key):
    """Values that make no sense, and keys that there are not, are refused by name."""
    with pytest.raises(ns.NasSurgeryError, match=rf"search\.{key}"):
        ns.run(spec(strategy, **{key: 0}), data=(X, Y))
    with pytest.raises(ns.NasSurgeryError, match=r"unknown key 'search\.branches'"):
        ns.run(spec(strategy, branches=2), data=(X, Y))


def test_plain_training_names_what_it_does_not_use():
    """Operations that a spec names come to nothing, and its run says so."""
    said = []
    ns.run(
        spec("train", operations=["add_neurons"]),
        data=(X, Y),
        observers=[lambda event: said.append(event.data.get("text"))],
    )
    wanted = "operation add_neurons is named and not used: the strategy works with none"
    assert wanted in said
    assert TrainStrategy.uses == ()
