"""The optimizers as calls on flat vectors; torch's fused kernels where there are some.

The formulas stand in `nas_surgery.training.plans`, the kernels are those of `torch.optim` with
`fused=True`. The learning rate and the count of updates are tensors, so that the calls never change.
"""

from collections.abc import Mapping
from functools import partial

import torch

from nas_surgery.training.optimizers import SGD, Adam, AdamW, Optimizer, RMSprop
from nas_surgery_torch.layers import Call

Vectors = Mapping[str, torch.Tensor]


def update_calls(
    optimizer: Optimizer,
    weights: torch.Tensor,
    gradient: torch.Tensor,
    slots: Vectors,
    rate: torch.Tensor,
    updates: int,
) -> list[Call]:
    """Calls that update `weights` (P,) and `slots` ((P,) each) in place from `gradient` (P,).

    rate: scalar tensor with the learning rate of the step; updates: steps made before.
    """
    if isinstance(optimizer, SGD):
        return [_sgd(optimizer, weights, gradient, slots, rate)]
    if isinstance(optimizer, RMSprop):
        return _rmsprop(optimizer, weights, gradient, slots, rate)
    return _adam(optimizer, weights, gradient, slots, rate, updates)


def clip_calls(gradient: torch.Tensor, clip_norm: float) -> list[Call]:
    """Calls that shorten a gradient (P,) to at most `clip_norm`."""

    def clip() -> None:
        norm = torch.dot(gradient, gradient).sqrt_().clamp_min_(1e-12)
        gradient.mul_(norm.reciprocal_().mul_(clip_norm).clamp_max_(1.0))

    return [clip]


def _sgd(
    optimizer: SGD,
    weights: torch.Tensor,
    gradient: torch.Tensor,
    slots: Vectors,
    rate: torch.Tensor,
) -> Call:
    return partial(
        torch._fused_sgd_,
        [weights],
        [gradient],
        [slots["velocity"]] if optimizer.momentum else [],
        lr=rate,
        momentum=optimizer.momentum,
        nesterov=optimizer.nesterov and optimizer.momentum > 0,
        weight_decay=optimizer.weight_decay,
        dampening=0.0,
        maximize=False,
        is_first_step=False,
    )


def _adam(
    optimizer: Adam,
    weights: torch.Tensor,
    gradient: torch.Tensor,
    slots: Vectors,
    rate: torch.Tensor,
    updates: int,
) -> list[Call]:
    count = torch.tensor(float(updates), device=weights.device)
    fused = torch._fused_adamw_ if isinstance(optimizer, AdamW) else torch._fused_adam_
    update = partial(
        fused,
        [weights],
        [gradient],
        [slots["first_moment"]],
        [slots["second_moment"]],
        [],
        [count],
        lr=rate,
        beta1=optimizer.beta1,
        beta2=optimizer.beta2,
        eps=optimizer.epsilon,
        weight_decay=optimizer.weight_decay,
        amsgrad=False,
        maximize=False,
    )
    return [partial(count.add_, 1), update]


def _rmsprop(
    optimizer: RMSprop,
    weights: torch.Tensor,
    gradient: torch.Tensor,
    slots: Vectors,
    rate: torch.Tensor,
) -> list[Call]:
    second, step = slots["second_moment"], torch.empty_like(gradient)
    calls: list[Call] = []
    if optimizer.weight_decay:
        calls.append(partial(gradient.add_, weights, alpha=optimizer.weight_decay))
    calls += [
        partial(second.mul_, optimizer.rho),
        partial(second.addcmul_, gradient, gradient, value=1 - optimizer.rho),
        partial(torch.sqrt, second, out=step),
        partial(step.add_, optimizer.epsilon),
        partial(torch.div, gradient, step, out=step),
    ]
    if optimizer.momentum:
        velocity = slots["velocity"]
        calls += [partial(velocity.mul_, optimizer.momentum), partial(velocity.add_, step)]
        calls.append(partial(torch.mul, velocity, rate, out=step))
    else:
        calls.append(partial(step.mul_, rate))
    return [*calls, partial(weights.sub_, step)]
