"""Deepen the network by a layer that starts as the identity (eq. 3).

Schiessler, Aydin, Linka, Cyron: Neural network surgery, Neural Networks 144 (2021), section 3.1.
"""

from typing import ClassVar

import attrs

from nas_surgery.analysis import Analysis
from nas_surgery.network import ACTIVATIONS, Network
from nas_surgery.operations.base import Context, Operation, Proposal
from nas_surgery.surgery import Surgery, exact_activation, insert_identity
from nas_surgery.validators import one_of, optional, whole


@attrs.frozen
class AddLayer(Operation):
    """Insert a hidden layer, as wide as the hidden linear layer at address `layer`, behind it.

    activation: of the new layer. By default that of the old one where it is idempotent (linear,
    relu, relu6), and none otherwise: a linear layer is exact behind every activation. Naming any
    other activation is allowed and approximate (a second tanh, for example, changes the function).
    """

    name: ClassVar[str] = "add_layer"
    retraining: ClassVar[int] = 10

    layer: int = attrs.field(validator=whole(0))
    activation: str | None = attrs.field(default=None, validator=optional(one_of(*ACTIVATIONS)))

    def apply(self, network: Network, context: Context = Context()) -> Surgery:  # noqa: B008
        group = self.group(network, self.layer)
        return insert_identity(network, group, self.activation or exact_activation(network, group))

    @classmethod
    def propose(cls, network: Network, analysis: Analysis) -> list[Proposal]:
        """Score (1 - n_r/n_l) · i/h."""
        return [
            Proposal(
                cls(layer.address),
                (1 - layer.redundancy) * layer.depth,
                f"layer {layer.index} of {layer.hidden_count},"
                f" {layer.units - layer.removable} of {layer.units} units carry information",
            )
            for layer in analysis.layers
        ]

    def parameters_after(self, network: Network) -> int:
        size = self.group(network, self.layer).size
        return network.parameter_count + size * size + size
