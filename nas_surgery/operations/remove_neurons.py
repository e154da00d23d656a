"""Narrow a hidden layer by projecting it on its leading singular vectors.

Schiessler, Aydin, Linka, Cyron: Neural network surgery, Neural Networks 144 (2021), eqs. 9-10.
"""

from typing import ClassVar

import attrs
import numpy as np

from nas_surgery.analysis import Analysis
from nas_surgery.errors import OperationError
from nas_surgery.network import Group, Network, linear_layer
from nas_surgery.operations.base import Context, Operation, Proposal, width_parameters
from nas_surgery.surgery import Surgery, WidthMap, change_width, singular_components
from nas_surgery.validators import one_of, optional, whole

METHODS = ("svd",)


@attrs.frozen
class RemoveNeurons(Operation):
    """Remove `count` units of the hidden linear layer at address `layer`, or `keep` so many.

    method "svd" (the paper's): E = V_r, D = V_rᵀ with the leading right singular vectors V of the
    kernel, and o = b (I - E D), which keeps the bias exact. The activation is ignored, so this is
    approximate, except between linear layers whose dropped singular values are zero.
    """

    name: ClassVar[str] = "remove_neurons"
    retraining: ClassVar[int] = 10

    layer: int = attrs.field(validator=whole(0))
    count: int | None = attrs.field(default=None, validator=optional(whole(1)))
    keep: int | None = attrs.field(default=None, validator=optional(whole(1)))
    method: str = attrs.field(default="svd", validator=one_of(*METHODS))

    def __attrs_post_init__(self) -> None:
        if (self.count is None) == (self.keep is None):
            raise ValueError("exactly one of count and keep is needed")

    def apply(self, network: Network, context: Context = Context()) -> Surgery:  # noqa: B008
        group = self.group(network, self.layer)
        return change_width(network, group, _projection(network, group, self.units_left(group)))

    @classmethod
    def propose(cls, network: Network, analysis: Analysis) -> list[Proposal]:
        """Score n_r/n_l; max(1, min(n_r, n - 1)) units."""
        return [
            Proposal(
                cls(layer.address, max(1, min(layer.removable, layer.units - 1))),
                layer.redundancy,
                f"{layer.removable} of {layer.units} units are removable",
            )
            for layer in analysis.layers
            if layer.units > 1
        ]

    def parameters_after(self, network: Network) -> int:
        group = self.group(network, self.layer)
        left = self.units_left(group)
        if _may_give_a_bias(network, group):
            return super().parameters_after(network)
        return width_parameters(network, group, left)

    def units_left(self, group: Group) -> int:
        """Units of the layer afterwards; OperationError unless between 1 and one less than now."""
        left = self.keep if self.count is None else group.size - self.count
        if left is None or not 0 < left < group.size:
            raise OperationError(
                f"{self.name}: layer {self.layer} has {group.size} units and cannot be left with {left}"
            )
        return left


def _may_give_a_bias(network: Network, group: Group) -> bool:
    """Whether a reader without a bias may get one from the offset."""
    biases = [linear_layer(network.layers[reader.address]).bias for reader in group.readers]
    moved = linear_layer(network.layers[group.writers[0]]).bias
    return any(bias is None for bias in biases) and moved is not None and bool(moved.any())


def _projection(network: Network, group: Group, keep: int) -> WidthMap:
    layer = linear_layer(network.layers[group.writers[0]])
    encode = singular_components(layer, keep).right
    bias = np.zeros(group.size) if layer.bias is None else layer.bias.astype(np.float64)
    return WidthMap(encode, encode.T, bias - (bias @ encode) @ encode.T)
