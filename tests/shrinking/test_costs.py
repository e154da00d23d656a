"""Costs of networks that are not made yet, and how channels are shared out."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nas_surgery.errors import OperationError
from nas_surgery.network import Group
from nas_surgery.shrinking.allocation import greedy, uniform
from nas_surgery.shrinking.curves import by_activations, by_weights, dealt
from nas_surgery.shrinking.plan import planned
from nas_surgery.testing.zoo import ZOO, lenet, vgg, zoo_inputs

SIZES = {"lenet": (28, 28, 1), "lstm": (12, 8), "gru": (12, 8), "transformer": (12,)}
WIDTHS = {"shufflenet": 16}
PLANS: dict[str, object] = {}


def plan_of(name):
    """The plan of a network of the zoo by its weights alone, made once."""
    if name not in PLANS:
        network = ZOO[name](SIZES.get(name, (16, 16, 3)), width=WIDTHS.get(name, 4))
        PLANS[name] = planned(network, None)
    return PLANS[name]


@pytest.mark.parametrize("name", ZOO)
@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_cost_model_equals_the_network_that_is_cut(name, seed):
    """Multiply-accumulates and parameters are those of the smaller network, for any sizes of groups."""
    plan = plan_of(name)
    rng = np.random.default_rng(seed)
    sizes = np.array([float(g.step * rng.integers(1, g.size // g.step + 1)) for g in plan.groups])
    network, _ = plan.cut(sizes)
    assert network.output_shape == plan.network.output_shape
    if any(group.scattered for group in plan.groups):
        return  # where the numbers of channels do not tell everything
    assert plan.costs.macs(sizes) == pytest.approx(network.macs, rel=1e-9)
    assert plan.costs.parameters(sizes) == pytest.approx(network.parameter_count, rel=1e-9)


@pytest.mark.parametrize("name", ZOO)
@pytest.mark.parametrize("kind", ["macs", "parameters"])
@settings(max_examples=4, deadline=None)
@given(share=st.floats(0.05, 1.0), multiple=st.sampled_from([1, 4, 8]))
def test_budgets_are_never_exceeded(name, kind, share, multiple):
    """Whatever is allocated keeps to the budget, as the cut network counts it, or it is refused."""
    plan = plan_of(name)
    whole = np.array([float(group.size) for group in plan.groups])
    limit = share * getattr(plan.costs, kind)(whole)
    if getattr(plan.costs, kind)(plan.smallest()) > limit:
        with pytest.raises(OperationError, match="cannot be reached"):
            plan.sizes(kind, limit, multiple)
        return
    for sizes in plan.sizes(kind, limit, multiple):
        network, _ = plan.cut(sizes)
        counted = network.macs if kind == "macs" else network.parameter_count
        assert counted <= limit * (1 + 1e-9)


def test_nothing_that_fits_is_left_over():
    """Behind a greedy allocation no group can have one more channel."""
    plan = plan_of("vgg")
    whole = np.array([float(group.size) for group in plan.groups])
    limit = 0.5 * plan.costs.macs(whole)
    sizes = greedy(plan.groups, plan.curves, plan.costs.macs, limit)
    for i, group in enumerate(plan.groups):
        more = sizes.copy()
        more[i] += group.step
        assert more[i] > group.size or plan.costs.macs(more) > limit


def test_greedy_is_near_the_best_of_all_allocations():
    """By its own curves its loss is at most a fifth above what brute force over a grid finds, and never
    above that of equal shares."""
    network = lenet((12, 12, 1), width=6)
    plan = planned(network, zoo_inputs(network, 64), only=[0, 3, 7])
    assert len(plan.groups) == 3
    limit = 0.5 * plan.costs.macs(np.array([float(group.size) for group in plan.groups]))

    def lost(sizes):
        return sum(c.lost[int(s)] for c, s in zip(plan.curves, sizes, strict=True))

    grids = [range(1, g.size + 1, max(1, g.size // 20)) for g in plan.groups]
    every = (np.array(each, float) for each in product(*grids))
    best = min(lost(sizes) for sizes in every if plan.costs.macs(sizes) <= limit)
    found = lost(greedy(plan.groups, plan.curves, plan.costs.macs, limit))
    assert found <= 1.2 * best
    assert found <= lost(uniform(plan.groups, plan.costs.macs, limit))


def test_curves_tell_what_the_channels_that_stay_cannot():
    """A curve's loss is the share of the centred values that no linear map of those that stay gives."""
    network = vgg(width=4)
    group = network.groups()[0]
    rng = np.random.default_rng(0)
    values = rng.normal(size=(200, group.size)) @ rng.normal(size=(group.size, group.size))
    curve = by_activations(network, group, values)
    from nas_surgery.surgery import outgoing_norms

    weighed = values * outgoing_norms(network, group)
    weighed = weighed - weighed.mean(axis=0)
    for size in range(group.size + 1):
        kept = weighed[:, curve.kept(size)]
        fitted = kept @ np.linalg.lstsq(kept, weighed, rcond=None)[0] if size else 0 * weighed
        share = np.sum((weighed - fitted) ** 2) / np.sum(weighed**2)
        assert curve.lost[size] == pytest.approx(share, abs=1e-9)


def test_without_data_the_largest_stay():
    """By weights alone units stay in the order of their norms, and the loss is the share of the others."""
    (group, *_) = vgg(width=4).groups()
    norms = np.array([1.0, 3.0, 2.0, 0.5])
    curve = by_weights(norms, group)
    assert curve.order.tolist() == [1, 2, 0, 3]
    assert curve.lost[2] == pytest.approx((1 + 0.25) / (1 + 9 + 4 + 0.25))


def test_cells_take_turns():
    """Where channels belong to cells, each round holds one of each, in the order within the cell."""
    order = dealt(np.array([3, 2, 0, 1]), Group(4, (0,), (), (), cells=(0, 0, 1, 1)))
    assert order.tolist() == [3, 0, 2, 1]


@pytest.mark.parametrize("name", ["resnet8", "vit"])
def test_addresses_that_hold_nothing_to_take_are_refused(name):
    """The refusal lists those that may change."""
    network = ZOO[name](SIZES.get(name, (16, 16, 3)), width=4)
    last = len(network.layers) - 1
    with pytest.raises(OperationError, match=rf"only: layer {last} has no channels .* have: \d"):
        planned(network, None, only=[last])
    assert zoo_inputs(network, 2).shape[0] == 2
