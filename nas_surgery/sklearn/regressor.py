"""`SurgeryRegressor`."""

from typing import Any, Self

from sklearn.base import RegressorMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_array, column_or_1d, validate_data

from nas_surgery.network import Array
from nas_surgery.sklearn.estimator import SurgeryEstimator


class SurgeryRegressor(RegressorMixin, SurgeryEstimator):  # type: ignore[misc]
    """A regressor of one output or several, whose network grows and shrinks while it trains.

    Its parameters and fitted attributes are those of `SurgeryEstimator`. It trains by mean squared error;
    target_accuracy is the R² of the validation part. The network predicts targets in the units they came in.
    """

    def fit(self, X: Any, y: Any, validation: Any = None) -> Self:
        """Search for a network for samples `X` (N, features) and their targets `y`, (N,) or (N, outputs).

        validation: (X, y) to judge candidates by, as they come to this estimator, instead of a part of the
        samples. Raises ValueError for what cannot be learned from, and SearchFailedError if no valid
        network came out.
        """
        x, y = validate_data(
            self,
            X,
            y,
            multi_output=True,
            y_numeric=True,
            ensure_min_samples=2,
            reset=not self._goes_on,
        )
        return self._search("mean_squared_error", x, _flat(y), self._validation(validation))

    def predict(self, X: Any) -> Array:
        """The values of samples (N, features): (N,), or (N, outputs) where there are several."""
        outputs = self._outputs(X)
        return outputs[:, 0] if outputs.shape[1] == 1 else outputs

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def _validation(self, pair: Any) -> tuple[Array, Array] | None:
        if pair is None:
            return None
        x, y = self._labelled(pair)
        return x, _flat(check_array(y, ensure_2d=False, dtype="numeric", input_name="y"))


def _flat(y: Array) -> Array:
    """A column (N, 1) as (N,), with scikit-learn's warning."""
    return column_or_1d(y, warn=True) if y.shape[1:] == (1,) else y
