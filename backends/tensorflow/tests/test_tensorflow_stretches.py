"""How plans are cut into stretches."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from nas_surgery.network import Dropout
from nas_surgery.testing.builders import build
from nas_surgery.training.plans import Recipe, TrainingPlan, batches
from nas_surgery_tensorflow.stretches import Stretch, batch_rows, capacity, stretches

counts = st.integers(1, 40)


@st.composite
def plans(draw: st.DrawFn) -> tuple[int, TrainingPlan]:
    """Some samples, and a plan that begins and ends anywhere."""
    samples = draw(counts)
    recipe = Recipe(batch_size=draw(counts))
    return samples, recipe.plan(samples, draw(st.integers(0, 30)), draw(st.integers(0, 30)))


def stretches_of(plan: TrainingPlan, batch: int, room: int, cut: int) -> list[Stretch]:
    """Those of every part of a plan."""
    found: list[Stretch] = []
    for part in plan.order:
        found += stretches(part, batch, sum(map(len, found)), room, cut)
    return found


@given(plans(), counts, st.integers(-5, 40))
def test_stretches_hold_the_batches_of_the_plan_in_turn(
    drawn: tuple[int, TrainingPlan], room: int, cut: int
) -> None:
    """Whatever the cuts: same batches, same places, none above capacity, and a cut where wanted."""
    samples, plan = drawn
    found = stretches_of(plan, batch_rows(plan, samples), room, cut)
    held = [stretch.order[i, :count] for stretch in found for i, count in enumerate(stretch.counts)]
    expected = list(batches(plan))
    assert len(held) == len(expected)
    assert all(np.array_equal(a, b) for a, b in zip(held, expected, strict=True))
    firsts = [stretch.first for stretch in found]
    assert firsts == list(np.cumsum([0, *map(len, found)])[:-1])
    assert all(len(stretch) <= room for stretch in found)
    assert not 0 <= cut < plan.steps or cut in firsts


@given(plans())
def test_losses_and_shares_are_those_of_the_true_batch(drawn: tuple[int, TrainingPlan]) -> None:
    """What fills up a short batch counts nothing, not even if it is NaN."""
    samples, plan = drawn
    for stretch in stretches_of(plan, batch_rows(plan, samples), 8, 10**9):
        losses = np.random.default_rng(0).random(stretch.order.shape)
        wanted = [row[:count].mean() for row, count in zip(losses, stretch.counts, strict=True)]
        losses[stretch.shares == 0] = np.nan
        assert np.allclose(stretch.mean_losses(losses), wanted, rtol=1e-14)
        assert np.allclose(stretch.shares.sum(axis=1), 1)


def test_a_short_batch_is_filled_up_with_its_own_samples() -> None:
    """So that a NaN elsewhere cannot reach it."""
    (stretch,) = stretches(np.array([3, 1, 2, 0, 4]), 3, 0, 9, 9)
    assert stretch.order.tolist() == [[3, 1, 2], [0, 4, 4]]
    assert stretch.counts.tolist() == [3, 2]


def test_capacity_is_an_epoch_unless_masks_need_more_room() -> None:
    """It follows from network and samples alone, so that compiled functions fit every cut."""
    plain, dropping = build(5, 4, 3), build(5, 4096, Dropout(0.5), 3)
    assert capacity(plain, 100, 16) == 7
    assert capacity(plain, 1, 16) == 1
    assert capacity(dropping, 60000, 16) == 256
