"""Drop a hidden layer and let the next one do its work (eqs. 11, 12).

Schiessler, Aydin, Linka, Cyron: Neural network surgery, Neural Networks 144 (2021), section 3.1.
"""

from math import prod
from typing import ClassVar

import attrs

from nas_surgery.analysis.spectra import Analysis, LayerAnalysis
from nas_surgery.errors import OperationError
from nas_surgery.network import (
    Array,
    Group,
    Layer,
    Network,
    bias_of,
    fan_in,
    kernel_of,
    weights_along,
)
from nas_surgery.operations.base import Context, Operation, Proposal
from nas_surgery.surgery import Surgery, fit_into_reader, fit_merged, merge_into_reader, unmergeable
from nas_surgery.validators import one_of, whole

METHODS = ("activation", "product")


@attrs.frozen
class RemoveLayer(Operation):
    """Remove the hidden linear layer at address `layer` and its activation.

    method "activation" (default): the next layer becomes the ridge least squares, on the probe, from
    the removed layer's inputs to what the next one put out. method "product" (the paper's): its
    weights are multiplied onto the next one's. Both are the exact product where no activation stands
    between; approximate otherwise. Without a probe "activation" falls back to "product", and the
    promise says so.
    """

    name: ClassVar[str] = "remove_layer"
    retraining: ClassVar[int] = 10

    layer: int = attrs.field(validator=whole(0))
    method: str = attrs.field(default=METHODS[0], validator=one_of(*METHODS))

    def apply(self, network: Network, context: Context = Context()) -> Surgery:  # noqa: B008
        group = self._closed_group(network)
        product = merge_into_reader(network, group)
        if self.method == "product" or product.promise.exact:
            return product
        if context.probe is None:
            return product.noting("no probe, so by the product of weights")
        if network.wires or not all(_plain(network.layers[r.address]) for r in group.readers):
            return fit_merged(network, group, product, context.probe)
        return fit_into_reader(network, group, context.probe)

    def _closed_group(self, network: Network) -> Group:
        group = self.group(network, self.layer)
        reason = unmergeable(network, group, self.layer)
        if reason is not None:
            raise OperationError(f"{self.name}: layer {self.layer} cannot go: {reason}")
        return group

    @classmethod
    def propose(cls, network: Network, analysis: Analysis) -> list[Proposal]:
        """Score 1 if n_r = n_l, otherwise (n_r/n_l) · i/h; the paper's method."""
        return [
            Proposal(
                cls(layer.address, "product"),
                _score(layer),
                f"layer {layer.index} of {layer.hidden_count},"
                f" {layer.removable} of {layer.units} units are removable",
            )
            for layer in analysis.layers
            if unmergeable(network, layer.group, layer.address) is None
        ]

    def parameters_after(self, network: Network) -> int:
        group = self._closed_group(network)
        writer = network.layers[self.layer]
        added = 0
        for place in group.readers:
            reader = network.layers[place.address]
            each = weights_along(reader, reader.channels.reads, fan_in(reader))
            added += place.positions * (fan_in(writer) - group.size) * each
            if bias_of(reader) is None and _shifts(bias_of(writer)):
                added += prod(kernel_of(reader).shape[1 + len(reader.window) :])
        removed = sum(array.size for array in writer.parameters().values())
        return network.parameter_count - removed + added


def _plain(layer: Layer) -> bool:
    """Whether it is one matrix for each position."""
    return not layer.window and not layer.channels.recurs


def _shifts(bias: Array | None) -> bool:
    """Whether a bias moves anything, so that a reader without one gets one."""
    return bias is not None and bool(bias.any())


def _score(layer: LayerAnalysis) -> float:
    return 1.0 if layer.removable == layer.units else layer.redundancy * layer.depth
