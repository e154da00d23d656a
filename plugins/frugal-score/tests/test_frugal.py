import pytest
from nas_surgery_frugal import PRICE, frugal

import nas_surgery as ns
from nas_surgery.plugins.registry import default_registry


def test_a_doubling_must_earn_the_price():
    """Twice the parameters are worth it from `PRICE` accuracy on, whatever the size is."""
    for parameters in (50, 5_000, 5_000_000):
        now = frugal(0.8, parameters)
        assert frugal(0.8 + PRICE, 2 * parameters) == pytest.approx(now)
        assert (
            frugal(0.8 + 0.9 * PRICE, 2 * parameters)
            < now
            < frugal(0.8 + 1.1 * PRICE, 2 * parameters)
        )


def test_the_entry_point_provides_it():
    """Once installed, it is there by name, and the list of plugins says from where."""
    assert default_registry().owner("scores", "frugal").origin == "nas-surgery-frugal"
    assert ns.score("frugal") is frugal


def test_a_run_selects_by_it():
    """The journal's scores are this function of what the candidates reached."""
    search = {"strategy": "paper", "score": "frugal", "max_epochs": 4}
    search |= {"initial_epochs": 2, "epoch_step": 2, "retraining_batches": 2}
    spec = {"data": {"source": "sklearn:iris"}, "network": {"hidden": [5]}, "search": search}
    history = ns.run(spec).history
    outcomes = {record["job"]: record for record in history if record["record"] == "outcome"}
    decisions = [record for record in history if "scores" in record]
    assert decisions
    for decision in decisions:
        for job, score in decision["scores"].items():
            outcome = outcomes[int(job)]
            assert score == frugal(outcome["accuracy"], outcome["parameters"])
        best = max(decision["scores"].values())
        assert decision["scores"][str(decision["selected"][0])] == best
