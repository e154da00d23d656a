"""What classifier and regressor share: parameters, one search for each fit, outputs, ONNX, pickles."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted, validate_data

from nas_surgery.data.dataset import Dataset
from nas_surgery.errors import EstimatorError, NasSurgeryError, SearchFailedError
from nas_surgery.formats.onnx.export import export_onnx
from nas_surgery.network import Array, Network, refusal
from nas_surgery.runs.result import Result
from nas_surgery.runs.runner import run
from nas_surgery.sklearn.parameters import make_spec
from nas_surgery.sklearn.pickling import packed, unpacked


class SurgeryEstimator(BaseEstimator):  # type: ignore[misc]
    """Each `fit` is one run of nas-surgery, in memory.

    Parameters that are None are what a spec that is silent gets; the others are the keys of a spec of the same
    names. validation_size: share or count of the samples that candidates are judged by, where `fit` is given no
    validation part of its own. random_state: a whole number is the seed of the run, so that the same
    number gives the same network; a RandomState, or with None NumPy's global one, draws it. warm_start:
    a further `fit` goes on from the network so far. verbose: show progress on standard error.
    overrides: all other values of a spec by dotted key, such as {"search.price": 0.02}.

    Fitted attributes: result_, the Result of the last fit; network_, its winner, which takes raw samples;
    n_features_in_, and feature_names_in_ of frames.
    """

    result_: Result

    def __init__(
        self,
        *,
        strategy: str | None = None,
        max_epochs: int | None = None,
        max_parameters: int | None = None,
        max_macs: int | None = None,
        max_seconds: float | None = None,
        target_accuracy: float | None = None,
        hidden: Any = None,
        activation: str | None = None,
        dropout: float | None = None,
        scaling: str | None = None,
        optimizer: str | None = None,
        learning_rate: float | None = None,
        weight_decay: float | None = None,
        batch_size: int | None = None,
        backend: str | None = None,
        device: str | None = None,
        validation_size: float | None = None,
        random_state: Any = None,
        warm_start: bool = False,
        verbose: bool = False,
        overrides: Any = None,
    ) -> None:
        self.strategy = strategy
        self.max_epochs = max_epochs
        self.max_parameters = max_parameters
        self.max_macs = max_macs
        self.max_seconds = max_seconds
        self.target_accuracy = target_accuracy
        self.hidden = hidden
        self.activation = activation
        self.dropout = dropout
        self.scaling = scaling
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.batch_size = batch_size
        self.backend = backend
        self.device = device
        self.validation_size = validation_size
        self.random_state = random_state
        self.warm_start = warm_start
        self.verbose = verbose
        self.overrides = overrides

    @property
    def network_(self) -> Network:
        """The network that the last fit came to."""
        return self.result_.network

    def to_onnx(self) -> bytes:
        """The network as an ONNX model: raw samples (N, features) to logits (N, classes) or values (N, outputs)."""
        check_is_fitted(self, "result_")
        return export_onnx(self.network_)

    @property
    def _goes_on(self) -> bool:
        """Whether a fit begins with the network so far."""
        return self.warm_start and hasattr(self, "result_")

    def _search(
        self, loss: str, x: Array, y: Array, validation: tuple[Array, Array] | None
    ) -> Self:
        """Run, and keep the result. validation: None has a part cut off for it."""
        more = (None, None) if validation is None else validation
        with _as_value_errors():
            dataset = Dataset(x, y, x_validation=more[0], y_validation=more[1])
            samples = len(x) if validation is None else None
            spec = make_spec(self.get_params(deep=False), loss, samples, self._goes_on)
            start = self.network_ if self._goes_on else None
            self.result_ = run(spec, network=start, data=dataset, verbose=self.verbose)
        return self

    def _labelled(self, pair: Any) -> tuple[Array, Any]:
        """The samples and the labels of a given validation part, the samples checked."""
        if not isinstance(pair, tuple | list) or len(pair) != 2:
            raise EstimatorError(str(refusal("validation", pair, "a pair (X, y)")))
        return validate_data(self, pair[0], reset=False), pair[1]

    def _outputs(self, samples: Any) -> Array:
        """Outputs (N, outputs), in float64: no sample's depend on those beside it."""
        check_is_fitted(self, "result_")
        x = validate_data(self, samples, reset=False)
        with _as_value_errors():
            return self.network_.astype(np.float64).outputs(x)

    def __getstate__(self) -> dict[str, Any]:
        """Networks as safetensors, so that a pickle holds no objects of theirs."""
        state = dict(super().__getstate__())
        return {**state, "result_": packed(self.result_)} if "result_" in state else state

    def __setstate__(self, state: dict[str, Any]) -> None:
        held = {"result_": unpacked(state["result_"])} if "result_" in state else {}
        super().__setstate__({**state, **held})


@contextmanager
def _as_value_errors() -> Iterator[None]:
    """What was wrong with data and parameters as the ValueError that scikit-learn expects."""
    try:
        yield
    except SearchFailedError:
        raise
    except NasSurgeryError as error:
        raise EstimatorError(str(error)) from error
