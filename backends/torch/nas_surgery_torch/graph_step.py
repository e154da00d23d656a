"""One training step of any network, its backward pass by autograd."""

import torch

from nas_surgery.network import Dropout, Network
from nas_surgery_torch.graph import Graph
from nas_surgery_torch.layers import Call, Tensors
from nas_surgery_torch.losses import Loss
from nas_surgery_torch.masks import Masks


class GraphStep:
    """What `Step` is to dense chains, with the same face: `x`, `masks`, `run`, `logits`.

    weights, gradients: tensors by parameter name, each lying as in `Layout`. fixed: the arrays that no
    gradient changes, by name; the statistics among them move in place. The rest as there.
    """

    def __init__(
        self,
        network: Network,
        weights: Tensors,
        gradients: Tensors,
        fixed: Tensors,
        loss: Loss,
        scale: float,
        update: list[Call],
        batch: int,
    ) -> None:
        some = next(iter(weights.values()))
        self.x = some.new_empty(batch, *network.shapes[network.prefix])
        self.logits = some.new_empty(*network.output_shape, batch)
        self._gradient, self._scale = torch.empty_like(self.logits), scale
        self._prediction, self._update = loss.prediction(self.logits, self._gradient), update
        leaves = {name: weight.detach().requires_grad_() for name, weight in weights.items()}
        self._leaves, self._gradients = list(leaves.values()), list(gradients.values())
        self._graph = Graph(network, training=True)
        self._arrays = self._graph.arrays(leaves, fixed)
        self.masks = Masks(self._masks(network, batch))

    def run(self, target: torch.Tensor) -> None:
        """Train on the batch in `x` with its targets (outputs, batch)."""
        with torch.enable_grad():
            logits = self._graph(self.x, self._arrays)
        self.logits.copy_(logits.detach().t())
        for call in self._prediction:
            call()
        self._gradient.sub_(target).mul_(self._scale)
        # kept until the next step: else the heap is given back to the system after each
        self._found = torch.autograd.grad(
            logits, self._leaves, self._gradient.t(), materialize_grads=True
        )
        torch._foreach_copy_(self._gradients, self._found)
        for call in self._update:
            call()

    def _masks(self, network: Network, batch: int) -> list[tuple[int, float, torch.Tensor]]:
        """A mask for each Dropout, put among its arrays."""
        places = []
        for address, layer in enumerate(network.layers[network.prefix :], network.prefix):
            if isinstance(layer, Dropout):
                mask = self.x.new_ones(batch, *network.shapes[address])
                self._arrays[address - network.prefix]["mask"] = mask
                places.append((address, layer.rate, mask))
        return places
