"""Take a normalisation by measured statistics into the layer before it."""

from typing import ClassVar

import attrs
import numpy as np
from scipy import sparse

from nas_surgery.errors import OperationError
from nas_surgery.network import Layer, Network, expect_network
from nas_surgery.operations.base import Context, Operation
from nas_surgery.surgery import Carry, Surgery, proved
from nas_surgery.validators import whole


@attrs.frozen
class MergeBatchNorm(Operation):
    """Multiply the BatchNorm at address `layer` into the linear layer that it alone reads. Exact.

    W' = W f, b' = (b - mean) f + offset, with f = scale / √(variance + epsilon). In training a BatchNorm
    normalises each batch by its own statistics, so this belongs behind a run.
    """

    name: ClassVar[str] = "merge_batch_norm"

    layer: int = attrs.field(validator=whole(0))

    def apply(self, network: Network, context: Context = Context()) -> Surgery:  # noqa: B008
        before, merged = self._merged(network)
        edited = network.replace({before: (merged,), self.layer: ()})
        promise = proved("a product of weights with a number for each channel")
        carried = {before: self._carry(network, before)}
        return Surgery(edited, promise, 0.0, {k: v for k, v in carried.items() if v is not None})

    def parameters_after(self, network: Network) -> int:
        before, merged = self._merged(network)
        gone = (network.layers[before], network.layers[self.layer])
        removed = sum(a.size for layer in gone for a in layer.parameters().values())
        added = sum(array.size for array in merged.parameters().values())
        return network.parameter_count - removed + added

    def macs_after(self, network: Network) -> int:
        self._merged(network)
        return network.macs

    def _merged(self, network: Network) -> tuple[int, Layer]:
        """The address of the layer before, and what it becomes."""
        expect_network("network", network)
        if self.layer >= len(network.layers):
            raise self._refusal("there is no such layer")
        found = network.layers[self.layer].affine()
        if found is None:
            raise self._refusal(f"a {network.layers[self.layer].kind} is no product and sum")
        (before,) = network.sources[self.layer]
        if before < 0 or sum(before in held for held in network.sources) > 1:
            raise self._refusal("it does not alone read a layer")
        merged = network.layers[before].followed(*found)
        if merged is None:
            raise self._refusal(f"a {network.layers[before].kind} stands before it")
        return before, merged

    def _carry(self, network: Network, before: int) -> Carry | None:
        """Gradients are divided by what weights are multiplied with."""
        factor, _ = network.layers[self.layer].affine() or (np.zeros(1), None)
        if not np.all(factor):
            return None
        inverse = sparse.diags_array(1 / factor.astype(np.float64)).tocsr()
        return Carry(before, None, inverse)

    def _refusal(self, reason: str) -> OperationError:
        return OperationError(f"{self.name}: layer {self.layer} cannot be taken in: {reason}")
