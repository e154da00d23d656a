"""Factor a hidden layer in two of lower rank.

Schiessler, Aydin, Linka, Cyron: Neural network surgery, Neural Networks 144 (2021), section 3.1,
after Denton et al. (2014) and Xue, Li, Gong (2013).
"""

from typing import ClassVar

import attrs

from nas_surgery.analysis import Analysis
from nas_surgery.errors import OperationError
from nas_surgery.network import Dense, Network, linear_layer
from nas_surgery.operations.base import Context, Operation, Proposal
from nas_surgery.surgery import Surgery, factor_layer
from nas_surgery.validators import whole


@attrs.frozen
class TruncatedSVD(Operation):
    """Replace the hidden linear layer at address `layer` by two, through `rank` channels.

    Exact where the kernel has no more than `rank` singular values above rounding; otherwise the
    closest such product in the Frobenius norm (Eckart-Young-Mirsky), and approximate.
    """

    name: ClassVar[str] = "truncated_svd"
    retraining: ClassVar[int] = 1

    layer: int = attrs.field(validator=whole(0))
    rank: int = attrs.field(validator=whole(1))

    def apply(self, network: Network, context: Context = Context()) -> Surgery:  # noqa: B008
        self.target(network)
        return factor_layer(network, self.layer, self.rank)

    @classmethod
    def propose(cls, network: Network, analysis: Analysis) -> list[Proposal]:
        """Score n_r/n_l with rank n_l - n_r, never a rank that adds parameters."""
        proposals = []
        for layer in analysis.layers:
            dense = linear_layer(network.layers[layer.address])
            rank = layer.units - layer.removable
            if 1 <= rank <= min(dense.kernel.shape) and _parameter_change(dense, rank) <= 0:
                reason = f"{layer.removable} of {layer.units} units are removable"
                proposals.append(Proposal(cls(layer.address, rank), layer.redundancy, reason))
        return proposals

    def parameters_after(self, network: Network) -> int:
        return network.parameter_count + _parameter_change(self.target(network), self.rank)

    def target(self, network: Network) -> Dense:
        """The layer to factor; OperationError where it is not hidden or cannot hold the rank."""
        self.group(network, self.layer)
        layer = linear_layer(network.layers[self.layer])
        if self.rank > min(layer.kernel.shape):
            raise OperationError(
                f"{self.name}: layer {self.layer} has a kernel of shape {layer.kernel.shape},"
                f" so rank {self.rank} is more than it can hold"
            )
        return layer


def _parameter_change(layer: Dense, rank: int) -> int:
    return rank * (layer.fan_in + layer.units) - layer.kernel.size
