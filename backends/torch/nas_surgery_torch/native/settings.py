"""What reading a module needs: where it stands, its arrays, and settings that the IR holds."""

from typing import Any

import attrs
import torch

from nas_surgery.errors import BackendError
from nas_surgery.network import Array, Shape
from nas_surgery_torch.native.lies import Lie


@attrs.frozen
class Reading:
    """Where a module stands. shape: of the IR's sample before it; lie: how the model's lies."""

    shape: Shape
    lie: Lie


def require(module: Any, **settings: Any) -> None:
    """Raise BackendError unless the module has these settings."""
    for name, wanted in settings.items():
        value = getattr(module, name)
        if value != wanted:
            raise BackendError(
                f"{type(module).__name__} is supported with {name}={wanted}, got {value}"
            )


def array(tensor: torch.Tensor | None) -> Any:
    """A module's tensor as an array; None where there is none."""
    return None if tensor is None else _array(tensor)


def _array(tensor: torch.Tensor) -> Array:
    if tensor.dtype not in (torch.float32, torch.float64):
        raise BackendError(f"weights must be float32 or float64, got {tensor.dtype}")
    if tensor.is_meta:
        raise BackendError("the device meta holds no weights")
    values: Array = tensor.detach().cpu().numpy()
    return values
