"""Networks as plain torch modules, and back."""

from collections.abc import Sequence

from torch import nn

from nas_surgery.network import Layer
from nas_surgery_torch.native.building import PLAIN, to_native
from nas_surgery_torch.native.opening import from_native, opened


def chain_modules(layers: Sequence[Layer]) -> nn.Sequential:
    """One module for each layer of a dense chain, with copies of its arrays."""
    return nn.Sequential(*(PLAIN[layer.kind][1](layer, ()) for layer in layers))


__all__ = ["chain_modules", "from_native", "opened", "to_native"]
