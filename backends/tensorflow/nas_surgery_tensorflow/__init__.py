"""TensorFlow backend of nas-surgery. TensorFlow is imported when the backend is first used."""

from collections.abc import Callable

from nas_surgery.errors import BackendError
from nas_surgery.training.backend import Backend


def nas_surgery_backends() -> dict[str, Callable[[], Backend]]:
    """The backend by name."""
    return {"tensorflow": load}


def load() -> Backend:
    """The backend; BackendError says how to install TensorFlow if it cannot be imported."""
    from nas_surgery_tensorflow.startup import start

    try:
        start()
    except Exception as error:  # a broken installation fails in many ways
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise BackendError(
            f"the tensorflow backend cannot import tensorflow ({reason});"
            " install it with: pip install tensorflow"
        ) from error
    from nas_surgery_tensorflow.train import TensorFlowBackend

    return TensorFlowBackend()
