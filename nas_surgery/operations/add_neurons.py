"""Widen a hidden layer by copies of its units, without changing the function.

Schiessler, Aydin, Linka, Cyron: Neural network surgery, Neural Networks 144 (2021), eqs. 4-8, after
Chen, Goodfellow, Shlens: Net2Net (2016).
"""

from typing import ClassVar

import attrs
import numpy as np

from nas_surgery.analysis import Analysis
from nas_surgery.network import Array, Network
from nas_surgery.operations.base import Context, Operation, Proposal, width_parameters
from nas_surgery.surgery import Surgery, WidthMap, change_width, selection
from nas_surgery.validators import one_of, whole

METHODS = ("split", "clone")


@attrs.frozen
class AddNeurons(Operation):
    """Add `count` units to the hidden linear layer at address `layer`.

    method "split" (default): each new unit copies an old one, and the copies share its outgoing
    weights unevenly, so that their gradients differ and they separate. Exact for every activation.
    method "clone" (the paper's): incoming weights and bias are halved and outgoing ones duplicated
    (with k copies divided by k). Exact for positively homogeneous activations only; the copies have
    equal gradients and never separate.
    """

    name: ClassVar[str] = "add_neurons"
    retraining: ClassVar[int] = 1

    layer: int = attrs.field(validator=whole(0))
    count: int = attrs.field(validator=whole(1))
    method: str = attrs.field(default="split", validator=one_of(*METHODS))

    def apply(self, network: Network, context: Context = Context()) -> Surgery:  # noqa: B008
        group = self.group(network, self.layer)
        generator = context.generator()
        origin = _origins(generator, group.size, self.count)
        if self.method == "clone":
            share = 1.0 / np.bincount(origin, minlength=group.size)[origin]
            change = WidthMap(selection(origin, group.size, share), selection(origin, group.size).T)
        else:
            share = _uneven_shares(generator, origin, group.size)
            change = WidthMap(selection(origin, group.size), selection(origin, group.size, share).T)
        return change_width(network, group, change)

    @classmethod
    def propose(cls, network: Network, analysis: Analysis) -> list[Proposal]:
        """Score 1 - n_r/n_l; max(2, n//10) units, and ten times that."""
        proposals = []
        for layer in analysis.layers:
            reason = f"{layer.units - layer.removable} of {layer.units} units carry information"
            few = max(2, layer.units // 10)
            for count in (few, 10 * few):
                proposals.append(Proposal(cls(layer.address, count), 1 - layer.redundancy, reason))
        return proposals

    def parameters_after(self, network: Network) -> int:
        group = self.group(network, self.layer)
        return width_parameters(network, group, group.size + self.count)


def _origins(generator: np.random.Generator, size: int, count: int) -> Array:
    """Which old unit each new column copies: all of them once, then `count` drawn as evenly as possible."""
    rounds = -(-count // size)
    drawn = np.concatenate([generator.permutation(size) for _ in range(rounds)])[:count]
    return np.concatenate([np.arange(size), drawn])


def _uneven_shares(generator: np.random.Generator, origin: Array, size: int) -> Array:
    """Positive shares (m,) that add up to 1 over the copies of each unit, and differ among them."""
    weights = generator.uniform(0.25, 1.75, len(origin))
    shares: Array = weights / np.bincount(origin, weights, minlength=size)[origin]
    return shares
