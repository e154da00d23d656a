"""One training step for batches of one size, as a list of calls on tensors that stay in place."""

from collections.abc import Iterator
from functools import partial
from itertools import chain

import torch

from nas_surgery.network import Dropout, Network
from nas_surgery.network.network import array_name
from nas_surgery_torch.layers import Call, DenseNode, DropoutNode, Node, Tensors, node
from nas_surgery_torch.losses import Loss
from nas_surgery_torch.masks import Masks


class Step:
    """A network's forward and backward pass over one batch, and the update behind them.

    weights, gradients: (out, in) and (out,) tensors by parameter name. Without gradients each
    product of the backward pass changes its weights at once. scale: multiplies the gradient by the
    logits, and with it all others. update: the calls that follow the backward pass.

    x (batch, ...) and `masks` are to be filled before a run; logits (outputs, batch) are there
    behind it.
    """

    def __init__(
        self,
        network: Network,
        weights: Tensors,
        gradients: Tensors | None,
        loss: Loss,
        scale: torch.Tensor | float,
        update: list[Call],
        batch: int,
    ) -> None:
        some = next(iter(weights.values()))
        self.x = some.new_empty(batch, *network.shapes[network.prefix])
        nodes = _nodes(network, self.x, weights, gradients)
        self.masks = Masks(_masks(network, nodes))
        self.logits = nodes[-1].y.t()
        self._gradient = torch.empty_like(self.logits)
        self._forward = list(chain.from_iterable(each.forward for each in nodes))
        self._forward += loss.prediction(self.logits, self._gradient)
        self._backward: list[Call] = [partial(self._gradient.mul_, scale)]
        self._backward += [*_backward(nodes, self._gradient.t()), *update]

    def run(self, target: torch.Tensor) -> None:
        """Train on the batch in `x` with its targets (outputs, batch)."""
        for call in self._forward:
            call()
        self._gradient.sub_(target)
        for call in self._backward:
            call()


def _masks(network: Network, nodes: list[Node]) -> Iterator[tuple[int, float, torch.Tensor]]:
    layers = enumerate(network.layers[network.prefix :], network.prefix)
    for (address, layer), each in zip(layers, nodes, strict=True):
        if isinstance(layer, Dropout) and isinstance(each, DropoutNode):
            yield address, layer.rate, each.mask


def _nodes(
    network: Network, x: torch.Tensor, weights: Tensors, gradients: Tensors | None
) -> list[Node]:
    nodes: list[Node] = []
    for address, layer in enumerate(network.layers[network.prefix :], network.prefix):
        names = {field: array_name(address, field) for field in layer.parameters()}
        own = {field: weights[name] for field, name in names.items()}
        theirs = gradients and {field: gradients[name] for field, name in names.items()}
        nodes.append(node(layer, x, own, theirs))
        x = nodes[-1].y
    return nodes


def _backward(nodes: list[Node], gradient: torch.Tensor) -> list[Call]:
    """From the logits to the first linear layer, whose inputs need no gradient."""
    first = next(each for each in nodes if isinstance(each, DenseNode))
    calls: list[Call] = []
    for each in reversed(nodes[nodes.index(first) + 1 :]):
        more, gradient = each.backward(gradient)
        calls += more
    return [*calls, *first.update(gradient)]
