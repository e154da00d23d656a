"""The activation functions as calls that write into a given tensor, forwards and backwards."""

from collections.abc import Callable
from functools import partial
from typing import Any

import attrs
import torch

from nas_surgery.network.activations import LEAKY_SLOPE, SELU_ALPHA, SELU_SCALE

aten: Any = torch.ops.aten

SOFTPLUS_THRESHOLD = 40.0
"""Above it softplus(x) is taken for x: exact in float64, where torch's default of 20 is not."""


@attrs.frozen
class Kernel:
    """`forward(x, out=y)`, and `backward(gradient by y, kept, grad_input=gradient by x)`.

    keeps_output: whether `kept` is y, not x.
    """

    forward: Callable[..., object]
    backward: Callable[..., object]
    keeps_output: bool = True


def _elu(alpha: float, scale: float) -> Kernel:
    def backward(gradient: torch.Tensor, y: torch.Tensor, grad_input: torch.Tensor) -> None:
        aten.elu_backward.grad_input(gradient, alpha, scale, 1, True, y, grad_input=grad_input)

    return Kernel(partial(aten.elu.out, alpha=alpha, scale=scale), backward)


KERNELS: dict[str, Kernel] = {
    "relu": Kernel(
        partial(torch.clamp_min, min=0),
        partial(aten.threshold_backward.grad_input, threshold=0),
    ),
    "relu6": Kernel(
        partial(torch.clamp, min=0, max=6),
        partial(aten.hardtanh_backward.grad_input, min_val=0, max_val=6),
    ),
    "leaky_relu": Kernel(
        partial(aten.leaky_relu.out, negative_slope=LEAKY_SLOPE),
        partial(
            aten.leaky_relu_backward.grad_input, negative_slope=LEAKY_SLOPE, self_is_result=True
        ),
    ),
    "elu": _elu(1.0, 1.0),
    "selu": _elu(SELU_ALPHA, SELU_SCALE),
    "gelu": Kernel(aten.gelu.out, aten.gelu_backward.grad_input, keeps_output=False),
    "tanh": Kernel(torch.tanh, aten.tanh_backward.grad_input),
    "sigmoid": Kernel(torch.sigmoid, aten.sigmoid_backward.grad_input),
    "softplus": Kernel(
        partial(aten.softplus.out, threshold=SOFTPLUS_THRESHOLD),
        partial(aten.softplus_backward.grad_input, beta=1, threshold=SOFTPLUS_THRESHOLD),
        keeps_output=False,
    ),
    "silu": Kernel(aten.silu.out, aten.silu_backward.grad_input, keeps_output=False),
}
"""By name; "linear" needs no call."""
