"""`SurgeryClassifier`."""

from typing import Any, Self

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import column_or_1d, validate_data

from nas_surgery.errors import EstimatorError
from nas_surgery.network import Array
from nas_surgery.network.prediction import probabilities
from nas_surgery.sklearn.estimator import SurgeryEstimator


class SurgeryClassifier(ClassifierMixin, SurgeryEstimator):  # type: ignore[misc]
    """A classifier whose network grows and shrinks while it trains.

    Its parameters and fitted attributes are those of `SurgeryEstimator`, and classes_: the labels in
    ascending order. It trains by cross-entropy; target_accuracy is of the validation part.
    """

    classes_: Array

    def fit(self, X: Any, y: Any, validation: Any = None) -> Self:
        """Search for a network for samples `X` (N, features) and their labels `y` (N,).

        validation: (X, y) to judge candidates by, as they come to this estimator, instead of a part of the
        samples. Raises ValueError for what cannot be learned from, and SearchFailedError if no valid
        network came out.
        """
        x, y = validate_data(self, X, y, ensure_min_samples=2, reset=not self._goes_on)
        check_classification_targets(y)
        classes = np.unique(y)
        self._check_classes(classes)
        self._search("cross_entropy", x, y, self._validation(validation))
        self.classes_ = classes
        return self

    def predict(self, X: Any) -> Array:
        """The label (N,) that each of the samples (N, features) most probably has."""
        places = self.predict_proba(X).argmax(axis=1)
        labels: Array = self.classes_[places]
        return labels

    def predict_proba(self, X: Any) -> Array:
        """The probability (N, classes) of each class, in the order of `classes_`."""
        return probabilities(self._outputs(X))

    def _check_classes(self, found: Array) -> None:
        if len(found) < 2:
            raise EstimatorError(
                f"{type(self).__name__} needs samples of two classes or more, got one class: {found[0]}"
            )
        if self._goes_on and not np.array_equal(found, self.classes_):
            raise EstimatorError(
                f"warm_start goes on with the same classes: before they were {self.classes_}, now {found}"
            )

    def _validation(self, pair: Any) -> tuple[Array, Array] | None:
        if pair is None:
            return None
        x, y = self._labelled(pair)
        return x, column_or_1d(y, warn=True)
