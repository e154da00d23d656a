"""What a classifier answers, held against onnxruntime, its run, and a run of the same spec."""

import warnings

import numpy as np
import onnxruntime
import pytest
from scipy.special import softmax
from sklearn.datasets import load_iris
from sklearn.exceptions import NotFittedError
from sklearn.metrics import accuracy_score

import nas_surgery as ns
from nas_surgery.errors import SearchFailedError
from nas_surgery.sklearn import SurgeryClassifier

X, Y = load_iris(return_X_y=True)
NAMES = np.array(["setosa", "versicolor", "virginica"])[Y]


def quick(**parameters):
    """A classifier that has learned nothing when it stops."""
    return SurgeryClassifier(max_epochs=2, random_state=0).set_params(**parameters)


@pytest.fixture(scope="module")
def fitted():
    """One that has learned iris by the names of its classes."""
    return SurgeryClassifier(max_epochs=40, random_state=0).fit(X, NAMES)


def test_it_learns(fitted):
    """Iris to nine tenths; its score is scikit-learn's accuracy."""
    assert fitted.score(X, NAMES) == accuracy_score(NAMES, fitted.predict(X)) > 0.9


def test_probabilities_are_the_softmax_of_what_onnxruntime_computes(fitted):
    """From the exported model and raw samples."""
    session = onnxruntime.InferenceSession(fitted.to_onnx())
    (logits,) = session.run(None, {session.get_inputs()[0].name: X.astype(np.float32)})
    found = fitted.predict_proba(X)
    np.testing.assert_allclose(found, softmax(logits.astype(np.float64), axis=1), atol=1e-6)
    assert (fitted.predict(X) == fitted.classes_[logits.argmax(axis=1)]).all()


def test_the_network_is_that_of_the_result_and_predicts_the_same_labels(fitted):
    """By the names that it holds itself."""
    assert fitted.network_ is fitted.result_.network
    assert (fitted.predict(X) == fitted.result_.predict(X)).all()
    assert fitted.network_.classes == tuple(fitted.classes_)


def test_it_is_the_run_of_the_same_spec():
    """Journal and winner: an estimator adds nothing of its own."""
    estimator = quick().fit(X, Y)
    spec = {"search": {"max_epochs": 2}, "data": {"test": 0}, "training": {"loss": "cross_entropy"}}
    result = ns.run(spec, data=(X, Y))
    assert estimator.result_.network.equals(result.network)
    assert estimator.result_.history == result.history


def test_no_test_part_is_cut_off():
    """All that are given are trained or validated on."""
    data = quick().fit(X, Y).result_.summary["data"]
    assert (data["train"] + data["validation"], data["test"]) == (len(X), None)


@pytest.mark.parametrize(
    "labels",
    [NAMES, NAMES.astype(object), Y - 1, Y * 1000 + 7, Y.astype(np.uint8), Y / 1.0, Y == 2],
    ids=["text", "objects", "negative", "far apart", "bytes", "floats", "bools"],
)
def test_labels_of_any_kind_come_back_as_they_were(labels):
    """`classes_` are NumPy's unique ones, and predictions have their dtype."""
    estimator = quick().fit(X, labels)
    assert (estimator.classes_ == np.unique(labels)).all()
    found = estimator.predict(X)
    assert found.dtype == np.unique(labels).dtype
    assert set(found) <= set(labels)
    assert estimator.network_.classes == tuple(np.unique(labels).tolist())


def test_many_classes_are_classes():
    """What a silent spec would call quantities, an estimator need not guess."""
    y = np.arange(150)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # scikit-learn's own, on so many classes
        assert len(quick().fit(X, y).classes_) == 150


def test_a_given_validation_part_is_the_one_that_is_used():
    """All samples are trained on then, and the figures are those of the part."""
    estimator = quick().fit(X[:100], NAMES[:100], validation=(X[::7][:14], NAMES[::7][:14]))
    summary = estimator.result_.summary
    assert (summary["data"]["train"], summary["data"]["validation"]) == (100, 14)
    accuracy = estimator.score(X[::7][:14], NAMES[::7][:14])
    assert summary["accuracy"]["validation"] == accuracy


def test_one_class_is_refused():
    """As scikit-learn's own classifiers do."""
    with pytest.raises(ValueError, match="two classes or more, got one class: 1"):
        quick().fit(X, np.ones(150))


def test_warm_start_goes_on_from_the_network_so_far():
    """The second run starts with the first one's winner, and no other."""
    estimator = quick(warm_start=True).fit(X, NAMES)
    before = estimator.network_
    estimator.fit(X, NAMES)
    again = ns.run(
        {"search": {"max_epochs": 2}, "data": {"test": 0}, "training": {"loss": "cross_entropy"}},
        data=(X, NAMES),
        network=before,
    )
    assert estimator.result_.history == again.history
    assert not estimator.network_.equals(before)


def test_warm_start_is_not_warned_of_what_made_the_first_network():
    """Its hidden layers and scaling are parameters still."""
    estimator = quick(warm_start=True, hidden=(6,), scaling="standard").fit(X, Y).fit(X, Y)
    assert estimator.result_.summary["warnings"] == []
    assert estimator.result_.summary["hidden"]["start"] == [6]


def test_without_warm_start_every_fit_is_the_first():
    """The same network comes out."""
    estimator = quick().fit(X, Y)
    before = estimator.network_
    assert estimator.fit(X, Y).network_.equals(before)


def test_warm_start_keeps_to_its_classes_and_features():
    """What would need another network is refused."""
    estimator = quick(warm_start=True).fit(X, Y)
    with pytest.raises(ValueError, match="the same classes"):
        estimator.fit(X[:100], Y[:100])
    with pytest.raises(ValueError, match="expecting 4 features"):
        estimator.fit(X[:, :3], Y)


def test_a_run_without_a_valid_network_says_so():
    """That is no ValueError: nothing was wrong with the data."""
    estimator = quick(learning_rate=1e30)
    with pytest.raises(SearchFailedError, match="diverged"):
        estimator.fit(X, Y)
    with pytest.raises(NotFittedError):
        estimator.predict(X)
