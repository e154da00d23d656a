"""PyTorch backend of nas-surgery: the hook only; torch is imported when the backend is first used."""

from collections.abc import Callable

from nas_surgery.errors import BackendError
from nas_surgery.training.backend import Backend


def nas_surgery_backends() -> dict[str, Callable[[], Backend]]:
    """The backend by name."""
    return {"torch": load}


def load() -> Backend:
    """The backend; BackendError says how to install torch if it cannot be imported."""
    try:
        import torch  # noqa: F401
    except Exception as error:  # a broken installation fails in many ways
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise BackendError(
            f"the torch backend cannot import torch ({reason}); install it with: pip install torch"
        ) from error
    from nas_surgery_torch.train import TorchBackend

    return TorchBackend()
