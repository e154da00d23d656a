"""Put a residual block behind a layer, which starts as nothing.

He, Zhang, Ren, Sun: Identity mappings in deep residual networks (2016); that the last layer starts at
zero is from Goyal et al.: Accurate, large minibatch SGD (2017).
"""

from typing import ClassVar

import attrs

from nas_surgery.analysis.spectra import Analysis
from nas_surgery.network import Network
from nas_surgery.operations.base import Context, Operation, Proposal
from nas_surgery.surgery import Surgery, proved
from nas_surgery.surgery.blocks import insert_block
from nas_surgery.validators import optional, whole


@attrs.frozen
class AddBlock(Operation):
    """Put x + B f(A x + a) behind the hidden linear layer at address `layer` and its activation. Exact.

    A and B are of the layer's kind, convolutions with its window or matrices, and B starts at zero; f is
    the activation before the block, or ReLU. units: channels between A and B; None for as many as the
    layer has.
    """

    name: ClassVar[str] = "add_block"
    retraining: ClassVar[int] = 10

    layer: int = attrs.field(validator=whole(0))
    units: int | None = attrs.field(default=None, validator=optional(whole(1)))

    def apply(self, network: Network, context: Context = Context()) -> Surgery:  # noqa: B008
        units = self._units(network)
        edited = insert_block(network, self.layer, units, context.generator())
        return Surgery(edited, proved("the block's last layer is zero"), 0.0)

    @classmethod
    def propose(cls, network: Network, analysis: Analysis) -> list[Proposal]:
        """Score (1 - n_r/n_l) · i/h, as of a layer that is added."""
        return [
            Proposal(
                cls(layer.address),
                (1 - layer.redundancy) * layer.depth,
                f"layer {layer.index} of {layer.hidden_count},"
                f" {layer.units - layer.removable} of {layer.units} units carry information",
            )
            for layer in analysis.layers
        ]

    def _units(self, network: Network) -> int:
        group = self.group(network, self.layer)
        return group.size if self.units is None else self.units
