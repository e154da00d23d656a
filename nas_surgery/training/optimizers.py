"""Optimizers with pinned conventions; every backend computes these formulas."""

from typing import Any

import attrs


@attrs.frozen
class SGD:
    """g += weight_decay·w;  v = momentum·v + g;  w -= rate·(g + momentum·v if nesterov else v)."""

    learning_rate: float = 0.005
    momentum: float = 0.0
    nesterov: bool = False
    weight_decay: float = 0.0


@attrs.frozen
class Adam:
    """g += weight_decay·w;  m, v: moving averages of g, g² with their bias corrected by the count of
    updates;  w -= rate·m̂/(sqrt(v̂) + epsilon)."""

    learning_rate: float = 0.001
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8
    weight_decay: float = 0.0


@attrs.frozen
class AdamW(Adam):
    """Adam with decoupled decay: w -= rate·weight_decay·w before the step, and g left as it is."""

    weight_decay: float = 0.01


@attrs.frozen
class RMSprop:
    """g += weight_decay·w;  s = rho·s + (1 - rho)·g²;  u = momentum·u + g/(sqrt(s) + epsilon);  w -= rate·u."""

    learning_rate: float = 0.001
    rho: float = 0.9
    epsilon: float = 1e-8
    momentum: float = 0.0
    weight_decay: float = 0.0


Optimizer = SGD | Adam | AdamW | RMSprop


OPTIMIZERS: dict[str, type[Optimizer]] = {
    "sgd": SGD,
    "adam": Adam,
    "adamw": AdamW,
    "rmsprop": RMSprop,
}


def slot_names(optimizer: Optimizer) -> tuple[str, ...]:
    """Names of the arrays that an optimizer keeps for each parameter."""
    if isinstance(optimizer, Adam):
        return ("first_moment", "second_moment")
    if isinstance(optimizer, RMSprop):
        return ("second_moment", "velocity") if optimizer.momentum else ("second_moment",)
    return ("velocity",) if optimizer.momentum else ()


def optimizer_config(optimizer: Optimizer) -> dict[str, Any]:
    """The optimizer's name and settings as JSON values."""
    name = next(k for k, v in OPTIMIZERS.items() if v is type(optimizer))
    return {"name": name, **attrs.asdict(optimizer)}
