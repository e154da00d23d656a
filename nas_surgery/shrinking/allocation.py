"""How many channels each group keeps: as many everywhere, or where they tell most for what they cost."""

from collections.abc import Callable, Sequence

import numpy as np

from nas_surgery.network import Array, Group
from nas_surgery.shrinking.curves import Curve

Cost = Callable[[Array], float]

STEP = 1 / 64  # of a group's channels go at a time


def uniform(groups: Sequence[Group], cost: Cost, budget: float, multiple: int = 1) -> Array:
    """The largest share of channels that keeps to the budget, the same for each group; sizes (groups,)."""
    low, high = 0.0, 1.0
    for _ in range(30):
        middle = (low + high) / 2
        fits = cost(_shares(groups, middle, multiple)) <= budget
        low, high = (middle, high) if fits else (low, middle)
    return _shares(groups, low, multiple)


def greedy(
    groups: Sequence[Group],
    curves: Sequence[Curve],
    cost: Cost,
    budget: float,
    weights: Array | None = None,
    multiple: int = 1,
) -> Array:
    """Channels go where their loss, by the curve and the weight of its group, is least for each unit of
    cost; sizes (groups,) that keep to the budget, or the least that there are."""
    sizes = np.array([float(group.size) for group in groups])
    factor = np.ones(len(groups)) if weights is None else weights
    steps = np.array([_step(group, multiple) for group in groups])
    now = cost(sizes)
    while now > budget:
        ratios = np.full(len(groups), np.inf)
        for i, curve in enumerate(curves):
            fewer = sizes[i] - steps[i]
            if fewer < max(steps[i] if multiple > 1 else 1, groups[i].step):
                continue
            tried = sizes.copy()
            tried[i] = fewer
            saved = now - cost(tried)
            worse = factor[i] * (curve.lost[int(fewer)] - curve.lost[int(sizes[i])])
            ratios[i] = worse / saved if saved > 0 else np.inf
        best = int(np.argmin(ratios))
        if not np.isfinite(ratios[best]):
            break
        sizes[best] -= steps[best]
        now = cost(sizes)
    return _refilled(groups, curves, cost, budget, factor, sizes, multiple)


def _refilled(
    groups: Sequence[Group],
    curves: Sequence[Curve],
    cost: Cost,
    budget: float,
    factor: Array,
    sizes: Array,
    multiple: int,
) -> Array:
    """The last step may have overshot: what still fits comes back, what tells most first."""
    units = [_unit(group, multiple) for group in groups]
    while True:
        gains = np.full(len(groups), -1.0)
        for i, (group, curve) in enumerate(zip(groups, curves, strict=True)):
            more = sizes.copy()
            more[i] += units[i]
            if more[i] <= group.size and cost(more) <= budget:
                gains[i] = factor[i] * (curve.lost[int(sizes[i])] - curve.lost[int(more[i])])
        best = int(np.argmax(gains))
        if gains[best] <= 0:
            return sizes
        sizes[best] += units[best]


def _step(group: Group, multiple: int) -> int:
    """How many channels go at a time: whole rounds of its cells, and multiples where there are enough."""
    unit = _unit(group, multiple)
    return max(unit, unit * round(group.size * STEP / unit))


def _unit(group: Group, multiple: int) -> int:
    return group.step if group.size < 2 * multiple else int(np.lcm(group.step, multiple))


def _shares(groups: Sequence[Group], share: float, multiple: int) -> Array:
    return np.array([float(_share(group, share, multiple)) for group in groups])


def _share(group: Group, share: float, multiple: int) -> int:
    unit = _unit(group, multiple)
    return max(unit, int(share * group.size / unit + 1e-9) * unit)
