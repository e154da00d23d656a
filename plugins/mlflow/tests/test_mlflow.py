"""What MLflow itself gives back of what the plugin logged, from a store in a file."""

import mlflow
import nas_surgery_mlflow
import numpy as np
import pytest
from sklearn.datasets import load_iris

import nas_surgery as ns
from nas_surgery.errors import SearchFailedError

pytestmark = pytest.mark.filterwarnings("default")  # what MLflow calls is not ours to mend

SPEC = {
    "data": {"source": "sklearn:iris"},
    "network": {"hidden": [5]},
    "search": {"strategy": "paper", "max_epochs": 6, "initial_epochs": 2, "epoch_step": 2},
    "run": {"baseline": True},
}


@pytest.fixture
def store(tmp_path, monkeypatch):
    """A store of its own, with an experiment whose artifacts lie beside it."""
    monkeypatch.chdir(tmp_path)
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    monkeypatch.setenv(nas_surgery_mlflow.URI, uri)
    mlflow.set_tracking_uri(uri)
    mlflow.set_experiment("digits")
    yield mlflow.MlflowClient()
    mlflow.set_tracking_uri(None)


def the_run(client):
    """The only run that the experiment holds."""
    (run,) = client.search_runs([client.get_experiment_by_name("digits").experiment_id])
    return run


def history(client, run, name):
    return {each.step: each.value for each in client.get_metric_history(run.info.run_id, name)}


def test_mlflow_gives_back_the_run(store):
    """Parameters are the spec's, curves the journal's, and the model predicts what the winner does."""
    result = ns.run(SPEC, out="out")
    run = the_run(store)
    assert (run.info.status, run.info.run_name) == ("FINISHED", "out")
    assert run.data.params["search.max_epochs"] == "6"
    assert run.data.params["network.hidden"] == "[5]"
    assert run.data.metrics["accuracy/test"] == result.summary["accuracy"]["test"]
    assert run.data.metrics["parameters"] == result.network.parameter_count
    (baseline,) = [
        each for each in result.history if each["record"] == "outcome" and each["job"] == -1
    ]
    for name in ("training_loss", "validation_loss", "validation_accuracy"):
        expected = {int(point["epoch"]): point[name] for point in baseline["curve"]}
        assert history(store, run, f"baseline/{name}") == expected
    assert max(history(store, run, "winner/validation_loss")) == 6
    files = {each.path for each in store.list_artifacts(run.info.run_id)}
    assert {"summary.json", "spec.toml"} <= files
    (held,) = mlflow.search_logged_models(output_format="list")
    model = mlflow.pyfunc.load_model(held.model_uri)
    x = load_iris().data.astype(np.float32)
    (outputs,) = model.predict(x).values()
    np.testing.assert_allclose(outputs, result.network.forward(x), atol=1e-5)
    (inputs,) = model.metadata.signature.inputs.inputs
    assert (inputs.shape, inputs.type) == ((-1, 4), np.float32)


def test_an_active_run_is_logged_to_and_left_open(store):
    """Whoever began it ends it."""
    with mlflow.start_run(run_name="mine") as mine:
        ns.run({**SPEC, "run": {}})
        assert mlflow.active_run().info.run_id == mine.info.run_id
    run = the_run(store)
    assert run.info.run_name == "mine"
    assert "winner/validation_loss" in run.data.metrics


def test_a_run_without_a_network_has_failed(store):
    """MLflow says so, and why; the next run is another one."""
    spec = {**SPEC, "data": {"source": "sklearn:diabetes"}, "training": {"learning_rate": 1e20}}
    with pytest.raises(SearchFailedError):
        ns.run(spec)
    run = the_run(store)
    assert run.info.status == "FAILED"
    assert "no valid network" in run.data.tags["nas_surgery.failed"]
    assert mlflow.active_run() is None


def test_nothing_is_logged_where_nobody_said_where_to(tmp_path, monkeypatch):
    """A plugin that is only installed leaves runs alone."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(nas_surgery_mlflow.URI, raising=False)
    mlflow.set_tracking_uri(None)
    ns.run({**SPEC, "run": {}})
    assert not list(tmp_path.iterdir())
