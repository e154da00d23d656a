"""Factor a hidden layer in two of lower rank.

Schiessler, Aydin, Linka, Cyron: Neural network surgery, Neural Networks 144 (2021), section 3.1,
after Denton et al. (2014) and Xue, Li, Gong (2013).
"""

from typing import ClassVar

import attrs

from nas_surgery.analysis.spectra import Analysis
from nas_surgery.errors import OperationError
from nas_surgery.network import Array, Network, kernel_of
from nas_surgery.operations.base import Context, Operation, Proposal
from nas_surgery.surgery import Surgery, factor_layer, factor_on_probe, unfactorable
from nas_surgery.validators import one_of, whole

METHODS = ("activation", "svd")


@attrs.frozen
class TruncatedSVD(Operation):
    """Replace the hidden linear layer at address `layer` by two, through `rank` channels.

    Of a convolution the first has its window, and the second mixes channels position by position.

    Exact where the kernel has no more than `rank` singular values above rounding. Otherwise method
    "activation" (default) gives the product that changes the layer's outputs on the probe least, and
    "svd" (the paper's) the one closest in the Frobenius norm (Eckart-Young-Mirsky); both approximate.
    Without a probe "activation" falls back to "svd", and the promise says so.
    """

    name: ClassVar[str] = "truncated_svd"
    retraining: ClassVar[int] = 1

    layer: int = attrs.field(validator=whole(0))
    rank: int = attrs.field(validator=whole(1))
    method: str = attrs.field(default=METHODS[0], validator=one_of(*METHODS))

    def apply(self, network: Network, context: Context = Context()) -> Surgery:  # noqa: B008
        self.target(network)
        by_weights = factor_layer(network, self.layer, self.rank)
        if self.method == "svd" or by_weights.promise.exact:
            return by_weights
        if context.probe is None:
            return by_weights.noting("no probe, so by svd")
        if not network.layers[self.layer].weighs_rows:
            return by_weights.noting("no outputs of single rows, so by svd")
        return factor_on_probe(network, self.layer, self.rank, context.probe)

    @classmethod
    def propose(cls, network: Network, analysis: Analysis) -> list[Proposal]:
        """Score n_r/n_l with rank n_l - n_r, never a rank that adds parameters; the paper's way."""
        proposals = []
        for layer in analysis.layers:
            writer = network.layers[layer.address]
            if unfactorable(writer) is not None:
                continue
            kernel = kernel_of(writer)
            kernel = kernel.reshape(-1, layer.units)
            rank = layer.units - layer.removable
            if 1 <= rank <= min(kernel.shape) and _parameter_change(kernel, rank) <= 0:
                reason = f"{layer.removable} of {layer.units} units are removable"
                proposals.append(
                    Proposal(cls(layer.address, rank, "svd"), layer.redundancy, reason)
                )
        return proposals

    def parameters_after(self, network: Network) -> int:
        return network.parameter_count + _parameter_change(self.target(network), self.rank)

    def target(self, network: Network) -> Array:
        """The kernel to factor; OperationError where it is not hidden or cannot hold the rank."""
        self.group(network, self.layer)
        layer = network.layers[self.layer]
        reason = unfactorable(layer)
        if reason is not None:
            raise OperationError(f"{self.name}: layer {self.layer} cannot be factored: {reason}")
        kernel = kernel_of(layer)
        kernel = kernel.reshape(-1, kernel.shape[-1])
        if self.rank > min(kernel.shape):
            raise OperationError(
                f"{self.name}: layer {self.layer} has a kernel of shape {kernel.shape},"
                f" so rank {self.rank} is more than it can hold"
            )
        return kernel


def _parameter_change(kernel: Array, rank: int) -> int:
    return rank * (int(kernel.shape[0]) + int(kernel.shape[-1])) - int(kernel.size)
