"""The default strategy with real training, on the digits that come with scikit-learn."""

import pytest

import nas_surgery as ns

SPEC = {
    "data": {"source": "sklearn:digits", "scaling": "unit"},
    "training": {"optimizer": "sgd", "learning_rate": 0.005, "batch_size": 16},
    "network": {"hidden": [10]},
    "search": {"strategy": "default", "max_epochs": 30},
}


@pytest.fixture(scope="module")
def result():
    return ns.run(SPEC, overrides={"run.baseline": True})


def test_a_run_beats_its_start_topology(result):
    """By far more than noise, at the same number of epochs."""
    found, baseline = result.summary["accuracy"], result.summary["baseline"]["accuracy"]
    assert found["validation"] > baseline["validation"] + 0.1
    assert found["test"] > baseline["test"] + 0.1


def test_a_run_stays_within_its_cap(result):
    """By the accounts of the journal, job by job."""
    outcomes = [record for record in result.history if record["record"] == "outcome"]
    spent = sum(record["cost"][1] for record in outcomes if record["job"] >= 0)
    reference = 3 * result.network.macs * result.summary["data"]["train"] * 30
    assert spent / reference == pytest.approx(result.summary["cost"]["relative"])
    assert result.summary["cost"]["relative"] <= 1.5


def test_the_front_holds_networks_that_lost(result):
    """Over everything trained: smaller is worse, and no network beats the last one's loss."""
    sizes = [point.parameters for point in result.pareto]
    losses = [point.loss for point in result.pareto]
    assert len(sizes) >= 3
    assert sizes == sorted(sizes)
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] <= result.summary["loss"]["validation"]


def test_a_run_is_reproducible(result):
    """Record by record."""
    again = ns.run(SPEC, overrides={"run.baseline": True})
    assert again.network.equals(result.network)
    assert again.history == result.history


def test_the_price_decides_on_size(result):
    """What is dear stays small."""
    dear = ns.run(SPEC, overrides={"search.price": 5.0})
    assert dear.summary["parameters"]["end"] < result.summary["parameters"]["end"] / 2
