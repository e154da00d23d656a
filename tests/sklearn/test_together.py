"""The estimators among scikit-learn's tools: pipelines, searches, processes, pickles, frames."""

import pickle
from copy import deepcopy

import joblib
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.model_selection import GridSearchCV, cross_val_score, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from nas_surgery.errors import ModelFileError
from nas_surgery.sklearn import SurgeryClassifier, SurgeryRegressor

X, Y = load_iris(return_X_y=True)
COLUMNS = ["sepal length", "sepal width", "petal length", "petal width"]
BOTH = pytest.mark.parametrize("kind", [SurgeryClassifier, SurgeryRegressor])


def quick(kind=SurgeryClassifier, **parameters):
    """An estimator that takes a tenth of a second."""
    return kind(max_epochs=2, random_state=0).set_params(**parameters)


def same(one, other):
    """Whether two fitted estimators hold the same network and tell the same of it."""
    points = zip(one.result_.pareto, other.result_.pareto, strict=True)
    return (
        one.network_.equals(other.network_)
        and one.network_.classes == other.network_.classes
        and one.result_.history == other.result_.history
        and one.result_.summary == other.result_.summary
        and all(a.network.equals(b.network) and a.loss == b.loss for a, b in points)
        and (one.predict(X) == other.predict(X)).all()
    )


@BOTH
@pytest.mark.parametrize("again", [lambda e: pickle.loads(pickle.dumps(e)), deepcopy])
def test_a_fitted_estimator_is_pickled(kind, again):
    """And copied: network, result and front, and it can be fitted again."""
    estimator = quick(kind).fit(X, Y)
    other = again(estimator)
    assert same(estimator, other)
    assert other.fit(X, Y).network_.equals(estimator.network_)


def test_a_pickle_holds_weights_as_safetensors():
    """And no object of ours but the estimator itself, so that the modules of networks may move."""
    content = pickle.dumps(quick().fit(X, Y))
    assert content.count(b'{"__metadata__"') >= 2
    assert b"nas_surgery.network" not in content
    assert b"nas_surgery.sklearn.classifier" in content


def test_damaged_weights_are_noticed():
    """By their SHA-256."""
    state = quick().fit(X, Y).__getstate__()
    content = bytearray(state["result_"]["network"])
    content[-1] ^= 1
    state["result_"] = {**state["result_"], "network": bytes(content)}
    with pytest.raises(ModelFileError, match="SHA-256"):
        SurgeryClassifier().__setstate__(state)


def test_joblib_saves_and_loads(tmp_path):
    """As people keep their models."""
    estimator = quick().fit(X, Y)
    joblib.dump(estimator, tmp_path / "model.joblib")
    assert same(estimator, joblib.load(tmp_path / "model.joblib"))


@BOTH
def test_a_clone_is_not_fitted(kind):
    """It has the parameters and nothing else."""
    copy = clone(quick(kind, hidden=(5, 4)).fit(X, Y))
    assert vars(copy) == vars(quick(kind, hidden=(5, 4)))


@BOTH
def test_the_same_number_gives_the_same_network(kind):
    """In one process and whatever was fitted before; another number gives another."""
    first, second, other = (quick(kind, random_state=i).fit(X, Y) for i in (3, 3, 4))
    assert first.network_.equals(second.network_)
    assert not first.network_.equals(other.network_)


def test_none_draws_from_numpys_global_state():
    """So that two fits differ, as scikit-learn has it."""
    first, second = (quick(random_state=None).fit(X, Y) for _ in range(2))
    assert not first.network_.equals(second.network_)


@BOTH
def test_a_pipeline_ends_in_one(kind):
    """Its parameters and its further arguments are reached by name."""
    model = make_pipeline(StandardScaler(), quick(kind))
    step = model.steps[-1][0]
    scaled = StandardScaler().fit_transform(X)
    model.fit(X, Y, **{f"{step}__validation": (scaled[::5], Y[::5])})
    alone = quick(kind).fit(scaled, Y, validation=(scaled[::5], Y[::5]))
    assert (model.predict(X) == alone.predict(scaled)).all()


@BOTH
def test_a_grid_search_chooses(kind):
    """Among sizes and rates; the best one is fitted on everything."""
    grid = {"hidden": [(3,), (8,)], "learning_rate": [1e-6, 0.05]}
    search = GridSearchCV(quick(kind), grid, cv=2).fit(X, Y)
    assert search.best_params_["learning_rate"] == 0.05
    assert search.best_estimator_.result_.summary["data"]["test"] is None


@pytest.mark.parametrize("how", [pytest.param("loky", marks=pytest.mark.slow), "threading"])
def test_folds_side_by_side_give_what_they_give_one_after_the_other(how):
    """In processes, through which fitted estimators come back as pickles, and in threads."""
    alone = cross_validate(quick(), X, Y, cv=3, return_estimator=True)
    with joblib.parallel_config(backend=how):
        beside = cross_validate(quick(), X, Y, cv=3, return_estimator=True, n_jobs=2)
    assert (alone["test_score"] == beside["test_score"]).all()
    for one, other in zip(alone["estimator"], beside["estimator"], strict=True):
        assert one.network_.equals(other.network_)


def test_cross_validation_tells_classes_apart():
    """With default settings."""
    assert cross_val_score(SurgeryClassifier(random_state=0), X, Y, cv=3).mean() > 0.9


def test_progress_is_shown_on_request(capfd):
    """On standard error."""
    quick().fit(X, Y)
    assert capfd.readouterr() == ("", "")
    quick(verbose=True).fit(X, Y)
    assert capfd.readouterr().err


def frames(library):
    """Samples and labels as that library has them."""
    module = pytest.importorskip(library)
    columns = {name: X[:, i] for i, name in enumerate(COLUMNS)}
    return module.DataFrame(columns), module.Series(np.array(["a", "b", "c"])[Y])


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_frames_are_taken(library):
    """Their columns' names are kept, and asked for again."""
    table, labels = frames(library)
    estimator = quick().fit(table, labels, validation=(table[::5], labels[::5]))
    assert estimator.feature_names_in_.tolist() == COLUMNS
    assert (estimator.predict(table) == estimator.result_.predict(X)).all()
    assert set(estimator.predict(table)) <= {"a", "b", "c"}
    with pytest.raises(ValueError, match="feature names should match"):
        estimator.predict(table[COLUMNS[::-1]])


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_a_frame_of_targets_has_several_outputs(library):
    """In the order of its columns."""
    table, _ = frames(library)
    estimator = quick(SurgeryRegressor).fit(table, table[COLUMNS[:2]])
    assert (estimator.predict(table) == quick(SurgeryRegressor).fit(X, X[:, :2]).predict(X)).all()


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_frames_come_through_a_pipeline(library):
    """Names reach the estimator behind steps that hand on frames."""
    table, labels = frames(library)
    model = make_pipeline(StandardScaler(), quick()).set_output(transform=library)
    assert model.fit(table, labels)[-1].feature_names_in_.tolist() == COLUMNS
    assert model.predict(table).shape == (150,)
