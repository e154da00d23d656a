"""The estimators keep scikit-learn's conventions: its own checks say so, of the default settings."""

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from nas_surgery.sklearn import SurgeryClassifier, SurgeryRegressor


@pytest.fixture(autouse=True)
def _with_array_api(monkeypatch):
    """Without it, the checks of arrays of other kinds are skipped."""
    monkeypatch.setenv("SCIPY_ARRAY_API", "1")


@parametrize_with_checks([SurgeryClassifier(), SurgeryRegressor()])
def test_scikit_learns_checks_pass(estimator, check):
    """All of them, without exceptions."""
    check(estimator)
