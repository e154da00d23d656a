"""Estimators that grow and shrink, with scikit-learn's conventions."""

from nas_surgery.sklearn.classifier import SurgeryClassifier
from nas_surgery.sklearn.regressor import SurgeryRegressor

__all__ = ["SurgeryClassifier", "SurgeryRegressor"]
