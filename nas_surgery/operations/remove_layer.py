"""Drop a hidden layer by multiplying its weights onto the next one (eqs. 11, 12).

Schiessler, Aydin, Linka, Cyron: Neural network surgery, Neural Networks 144 (2021), section 3.1.
"""

from typing import ClassVar

import attrs

from nas_surgery.analysis import Analysis, LayerAnalysis
from nas_surgery.network import Network, linear_layer
from nas_surgery.operations.base import Context, Operation, Proposal
from nas_surgery.surgery import Surgery, merge_into_reader
from nas_surgery.validators import whole


@attrs.frozen
class RemoveLayer(Operation):
    """Remove the hidden linear layer at address `layer` and its activation.

    Exact where no activation stands between the layer and the next one; approximate otherwise.
    """

    name: ClassVar[str] = "remove_layer"
    retraining: ClassVar[int] = 10

    layer: int = attrs.field(validator=whole(0))

    def apply(self, network: Network, context: Context = Context()) -> Surgery:  # noqa: B008
        return merge_into_reader(network, self.group(network, self.layer))

    @classmethod
    def propose(cls, network: Network, analysis: Analysis) -> list[Proposal]:
        """Score 1 if n_r = n_l, otherwise (n_r/n_l) · i/h."""
        return [
            Proposal(
                cls(layer.address),
                _score(layer),
                f"layer {layer.index} of {layer.hidden_count},"
                f" {layer.removable} of {layer.units} units are removable",
            )
            for layer in analysis.layers
        ]

    def parameters_after(self, network: Network) -> int:
        group = self.group(network, self.layer)
        writer = linear_layer(network.layers[self.layer])
        added = 0
        for place in group.readers:
            reader = linear_layer(network.layers[place.address])
            added += place.positions * (writer.fan_in - group.size) * reader.units
            added += reader.units if reader.bias is None and _shifts(writer.bias) else 0
        removed = sum(array.size for array in writer.parameters().values())
        return network.parameter_count - removed + added


def _shifts(bias: object) -> bool:
    """Whether a bias moves anything, so that a reader without one gets one."""
    return bias is not None and bool(getattr(bias, "any")())  # noqa: B009


def _score(layer: LayerAnalysis) -> float:
    return 1.0 if layer.removable == layer.units else layer.redundancy * layer.depth
