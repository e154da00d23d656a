import numpy as np
import pytest

import nas_surgery as ns
from nas_surgery.errors import OperationError
from nas_surgery.plugins.registry import default_registry
from nas_surgery.surgery import Exactness

PROBE = np.random.default_rng(0).uniform(size=(50, 3, 4))


def network(activation, shift, silent=(1, 3), positions=True, units=5):
    """Units `silent` get a bias of `shift`; with positions, a Flatten lies before the next layer."""
    generator = np.random.default_rng(1)
    bias = generator.normal(size=units)
    bias[list(silent)] = shift
    first = ns.Dense(generator.normal(size=(4, units)), bias)
    fan_in = 3 * units if positions else units
    layers = [first, ns.Activation(activation)]
    layers += [ns.Flatten()] if positions else []
    layers += [ns.Dense(generator.normal(size=(fan_in, 2)))]
    return ns.Network((3, 4) if positions else (4,), layers)


@pytest.mark.parametrize(
    ("activation", "shift"), [("relu", -50.0), ("tanh", 50.0), ("relu6", 50.0)]
)
def test_silent_units_go_and_the_outputs_stay(activation, shift):
    """Dead and saturated units are removed; the constant that they add moves into the next bias."""
    old = network(activation, shift)
    surgery = ns.operation("prune_silent_units", layer=0).apply(old, ns.Context(probe=PROBE))
    assert surgery.network.hidden == (3,)
    assert surgery.promise.exactness is Exactness.MEASURED
    assert np.array_equal(surgery.network.layers[0].kernel, old.layers[0].kernel[:, [0, 2, 4]])
    assert np.allclose(surgery.network.forward(PROBE), old.forward(PROBE), atol=1e-12)


def test_one_unit_always_stays():
    """Even a layer that is silent as a whole is not emptied."""
    old = network("relu", -50.0, silent=range(5))
    edited = ns.operation("prune_silent_units", layer=0)(old, probe=PROBE)
    assert edited.hidden == (1,)
    assert np.allclose(edited.forward(PROBE), old.forward(PROBE), atol=1e-12)


@pytest.mark.parametrize(("probe", "rule"), [(PROBE, "no silent unit"), (None, "probe batch")])
def test_nothing_to_remove_is_an_error(probe, rule):
    """So that such a candidate fails at no cost, in place of competing as a second identity."""
    with pytest.raises(OperationError, match=rule):
        ns.operation("prune_silent_units", layer=0)(network("relu", 0.0), probe=probe)


def test_the_entry_point_provides_it():
    """Once installed, it is there by name, and the list of plugins says from where."""
    assert (
        default_registry().owner("operations", "prune_silent_units").origin == "nas-surgery-prune"
    )


def test_a_search_draws_it_and_removes_dead_units():
    """It competes with the built-in operations, on the probe batch that the run provides."""
    start = network("relu", -50.0, silent=(0, 1, 2), positions=False, units=8)
    x, y = PROBE[:, 0], (PROBE[:, 0, 0] > 0.5).astype(int)
    search = {"strategy": "paper", "max_epochs": 4, "retraining_batches": 2}
    search |= {"initial_epochs": 2, "epoch_step": 2, "max_parameters": start.parameter_count}
    search["operations"] = ["identity", "remove_neurons", "prune_silent_units"]
    history = ns.run({"search": search}, network=start, data=(x, y)).history
    tried = {
        record["id"]: record["operations"][0]
        for record in history
        if record["record"] == "job" and record["operations"]
    }
    job = next(job for job, edit in tried.items() if edit["name"] == "prune_silent_units")
    outcome = next(r for r in history if r["record"] == "outcome" and r["job"] == job)
    assert 1 <= outcome["hidden"][0] <= 5
    assert outcome["exactness"] == ["measured"]
