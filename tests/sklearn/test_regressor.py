"""What a regressor answers: values in the units that they came in, of one output or several."""

from copy import deepcopy

import numpy as np
import onnxruntime
import pytest
from sklearn.datasets import make_regression
from sklearn.exceptions import DataConversionWarning
from sklearn.metrics import r2_score

from nas_surgery.sklearn import SurgeryRegressor

X, Y = make_regression(150, 4, n_targets=2, noise=5, random_state=0)
Y = Y * [1, 50] + [1000, -20]


def quick(**parameters):
    """A regressor that has learned little when it stops."""
    return SurgeryRegressor(max_epochs=2, random_state=0).set_params(**parameters)


@pytest.fixture(scope="module")
def fitted():
    """One that has learned both outputs."""
    return SurgeryRegressor(max_epochs=60, random_state=0).fit(X, Y)


def test_it_learns_several_outputs(fitted):
    """Far from zero and of unlike scales; its score is scikit-learn's R²."""
    assert fitted.predict(X).shape == Y.shape
    assert fitted.score(X, Y) == r2_score(Y, fitted.predict(X)) > 0.8


def test_predictions_are_what_onnxruntime_computes(fitted):
    """From the exported model and raw samples, as far as float32 goes."""
    session = onnxruntime.InferenceSession(fitted.to_onnx())
    (values,) = session.run(None, {session.get_inputs()[0].name: X.astype(np.float32)})
    np.testing.assert_allclose(fitted.predict(X), values, rtol=1e-4, atol=1e-2)
    np.testing.assert_allclose(fitted.result_.predict(X), values, rtol=1e-4, atol=1e-2)


def test_no_samples_prediction_depends_on_those_beside_it(fitted):
    """To the last digits: outputs are computed in float64."""
    alone = np.concatenate([fitted.predict(X[i : i + 1]) for i in range(len(X))])
    np.testing.assert_allclose(fitted.predict(X), alone, rtol=1e-12)


@pytest.mark.parametrize("y", [Y[:, 0], np.arange(150) % 2, np.arange(150), Y[:, 0] > 1000])
def test_numbers_of_any_kind_are_quantities(y):
    """What a silent spec would call classes, an estimator need not guess."""
    estimator = quick().fit(X, y)
    assert estimator.predict(X).shape == (150,)
    assert estimator.network_.classes is None


def test_a_column_is_one_output():
    """With the warning that scikit-learn gives of it."""
    with pytest.warns(DataConversionWarning):
        column = quick().fit(X, Y[:, :1])
    assert (column.predict(X) == quick().fit(X, Y[:, 0]).predict(X)).all()


def test_constant_targets_are_predicted():
    """Nothing is divided by their spread."""
    assert np.allclose(quick().fit(X, np.full(150, 1e6)).predict(X), 1e6)


def test_a_given_validation_part_is_the_one_that_is_used():
    """In units of its own accord: its R² is that of the predictions."""
    estimator = quick().fit(X[:100], Y[:100], validation=(X[100:], Y[100:]))
    summary = estimator.result_.summary
    assert (summary["data"]["train"], summary["data"]["validation"]) == (100, 50)
    expected = r2_score(Y[100:], estimator.predict(X[100:]))
    assert summary["accuracy"]["validation"] == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("shift", [0, 5000])
def test_warm_start_goes_on_from_the_values_so_far(fitted, shift):
    """Trained on at a rate of nothing, the network predicts what it did, whatever targets it is shown now."""
    estimator, before = deepcopy(fitted), fitted.predict(X)
    estimator.set_params(warm_start=True, max_epochs=1, learning_rate=1e-12)
    estimator.fit(X, Y * 3 + shift)
    assert np.abs(estimator.predict(X) - before).max() < 1e-3 * np.ptp(Y, axis=0).max()


def test_warm_start_keeps_to_its_outputs():
    """What would need another network is refused."""
    with pytest.raises(ValueError, match="the network has 2 outputs, the data 1"):
        quick(warm_start=True).fit(X, Y).fit(X, Y[:, 0])


@pytest.mark.parametrize("y", [np.full(150, "a"), np.stack([np.full(150, "a")] * 2, axis=1)])
def test_text_is_no_quantity(y):
    """A ValueError, as from scikit-learn's own regressors."""
    with pytest.raises(ValueError, match=r"numbers|numeric|could not convert"):
        quick().fit(X, y)
