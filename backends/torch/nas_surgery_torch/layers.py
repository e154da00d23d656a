"""The layers of a training step, unrolled into calls on tensors that stay where they are.

A step replays the calls: no module, no autograd graph, no allocation. Each node takes its inputs
`x` at construction and has its outputs `y`, the calls of its forward pass, and `backward`, which
takes the tensor that will hold the gradient by `y` and returns the calls of the backward pass and
the tensor that will hold the gradient by `x`. All tensors are contiguous, except the outputs of a
linear layer and the gradient by the logits: these are transposed views.
"""

from collections.abc import Callable, Mapping
from functools import partial
from math import prod

import torch

from nas_surgery.network import Activation, Dense, Dropout, Flatten, Layer
from nas_surgery_torch.activations import KERNELS

Call = Callable[[], object]
Tensors = Mapping[str, torch.Tensor]


class Node:
    """One layer of a step. x, y: (batch, ...)."""

    def __init__(self, x: torch.Tensor) -> None:
        self.x = self.y = x
        self.forward: list[Call] = []

    def backward(self, gradient: torch.Tensor) -> tuple[list[Call], torch.Tensor]:
        """Calls of the backward pass, and what they leave the gradient by `x` in."""
        return [], gradient


class DenseNode(Node):
    """y = x Wᵀ + b over all leading axes, with W (out, in).

    gradients: where those by W and b go; None lets each product change W and b at once, for a
    gradient that already carries the learning rate.
    """

    def __init__(self, x: torch.Tensor, weights: Tensors, gradients: Tensors | None) -> None:
        super().__init__(x)
        self.weight, self.bias, self.gradients = weights["kernel"], weights.get("bias"), gradients
        units = len(self.weight)
        self.rows = x.view(-1, x.shape[-1])
        # For thin batches W xᵀ is up to twice as fast as x Wᵀ, which is the same.
        transposed = x.new_empty(units, len(self.rows))
        if self.bias is None:
            product: Call = partial(torch.mm, self.weight, self.rows.t(), out=transposed)
        else:
            column = self.bias.unsqueeze(1)
            product = partial(torch.addmm, column, self.weight, self.rows.t(), out=transposed)
        self.forward = [product]
        self.y = transposed.t().view(*x.shape[:-1], units)

    def backward(self, gradient: torch.Tensor) -> tuple[list[Call], torch.Tensor]:
        rows = gradient.view(-1, gradient.shape[-1])
        back = torch.empty_like(self.rows, memory_format=torch.contiguous_format)
        through: Call = partial(torch.mm, rows, self.weight, out=back)
        return [through, *self.update(gradient)], back.view(self.x.shape)

    def update(self, gradient: torch.Tensor) -> list[Call]:
        """Calls that take the gradients by W and b, or change W and b."""
        columns = gradient.view(-1, gradient.shape[-1]).t()
        ones = columns.new_ones(columns.shape[1])
        calls: list[Call] = []
        if self.gradients is None:
            calls.append(partial(self.weight.addmm_, columns, self.rows, alpha=-1))
            if self.bias is not None:
                calls.append(partial(self.bias.addmv_, columns, ones, alpha=-1))
        else:
            calls.append(partial(torch.mm, columns, self.rows, out=self.gradients["kernel"]))
            if self.bias is not None:
                calls.append(partial(torch.mv, columns, ones, out=self.gradients["bias"]))
        return calls


class ActivationNode(Node):
    """An elementwise function."""

    def __init__(self, x: torch.Tensor, function: str) -> None:
        super().__init__(x)
        self.kernel = KERNELS[function]
        self.y = torch.empty(x.shape, dtype=x.dtype, device=x.device)
        self.forward = [partial(self.kernel.forward, x, out=self.y)]

    def backward(self, gradient: torch.Tensor) -> tuple[list[Call], torch.Tensor]:
        back = torch.empty_like(gradient, memory_format=torch.contiguous_format)
        kept = self.y if self.kernel.keeps_output else self.x
        return [partial(self.kernel.backward, gradient, kept, grad_input=back)], back


class FlattenNode(Node):
    """Samples as vectors; copies only what lies transposed."""

    def __init__(self, x: torch.Tensor) -> None:
        super().__init__(x)
        self.forward, flat = _contiguous(x)
        self.y = flat.view(len(x), prod(x.shape[1:]))

    def backward(self, gradient: torch.Tensor) -> tuple[list[Call], torch.Tensor]:
        calls, flat = _contiguous(gradient)
        return calls, flat.view(self.x.shape)


def _contiguous(x: torch.Tensor) -> tuple[list[Call], torch.Tensor]:
    """A tensor with the values of `x` that is contiguous, and the call that fills it if it is not `x`."""
    if x.is_contiguous():
        return [], x
    copy = torch.empty_like(x, memory_format=torch.contiguous_format)
    return [partial(copy.copy_, x)], copy


class DropoutNode(Node):
    """y = x mask; the mask of each step comes from outside."""

    def __init__(self, x: torch.Tensor) -> None:
        super().__init__(x)
        self.mask = torch.ones(x.shape, dtype=x.dtype, device=x.device)
        self.y = torch.empty_like(self.mask)
        self.forward = [partial(torch.mul, x, self.mask, out=self.y)]

    def backward(self, gradient: torch.Tensor) -> tuple[list[Call], torch.Tensor]:
        return [partial(gradient.mul_, self.mask)], gradient


def node(layer: Layer, x: torch.Tensor, weights: Tensors, gradients: Tensors | None) -> Node:
    """The node of a layer behind `x`; weights, gradients: of its parameters by field."""
    if isinstance(layer, Dense):
        return DenseNode(x, weights, gradients)
    if isinstance(layer, Flatten):
        return FlattenNode(x)
    if isinstance(layer, Dropout):
        return DropoutNode(x)
    assert isinstance(layer, Activation), layer
    return Node(x) if layer.function == "linear" else ActivationNode(x, layer.function)


def infer(layer: Layer, x: torch.Tensor, weights: Tensors) -> torch.Tensor:
    """What a layer makes of `x` (N, ...) in inference; weights: of its parameters by field."""
    if isinstance(layer, Dense):
        return torch.nn.functional.linear(x, weights["kernel"], weights.get("bias"))
    if isinstance(layer, Activation) and layer.function != "linear":
        y = torch.empty_like(x)
        KERNELS[layer.function].forward(x, out=y)
        return y
    return x.flatten(1) if isinstance(layer, Flatten) else x
