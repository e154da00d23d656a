"""What training costs, and who can still win on what is left."""

from hypothesis import given
from hypothesis import strategies as st

from nas_surgery.strategies.default.budget import Budget
from nas_surgery.training.plans import Recipe

cases = given(
    samples=st.integers(1, 400),
    batch=st.integers(1, 64),
    start=st.integers(0, 300),
    steps=st.integers(0, 300),
    macs=st.integers(1, 10**6),
)


@cases
def test_a_price_is_never_below_what_training_costs(samples, batch, start, steps, macs):
    """Wherever a stretch begins and whatever the batch size, which the strategy is not told; and it is
    exact for whole epochs."""
    recipe = Recipe(batch_size=batch)
    epoch = recipe.steps_per_epoch(samples)
    budget = Budget(1.5, samples, epoch, 10)
    real = 3 * macs * recipe.plan_samples(samples, start, start + steps)
    assert budget.price(macs, steps) >= real
    if steps % epoch == 0:
        assert budget.price(macs, steps) == real


@cases
def test_a_winner_trained_to_the_end_within_its_limit(samples, batch, start, steps, macs):
    """A cap of one and a half allows the whole training and half of it again, and no more."""
    epoch = Recipe(batch_size=batch).steps_per_epoch(samples)
    budget = Budget(1.5, samples, epoch, 10)
    whole = budget.price(macs, 10 * epoch)
    assert budget.training_steps == 10 * epoch
    assert budget.affords(whole // 2, [], macs, 10 * epoch)
    assert not budget.affords(whole // 2 + 1, [], macs, 10 * epoch)


@cases
def test_steps_are_as_many_as_can_be_afforded(samples, batch, start, steps, macs):
    """One step more would break the limit, or is not wanted."""
    epoch = Recipe(batch_size=batch).steps_per_epoch(samples)
    budget = Budget(0.5, samples, epoch, 4)
    spent = budget.limit(macs) * start // 300
    found = budget.steps(spent, macs, steps)
    assert spent + budget.price(macs, found) <= budget.limit(macs)
    if found < steps:
        assert spent + budget.price(macs, found + 1) > budget.limit(macs)


def test_a_small_budget_shortens_the_training():
    """So that something is left for races."""
    assert Budget(1.25, 160, 10, 50).training_steps == 500
    assert Budget(0.5, 160, 10, 50).training_steps == 200
    assert Budget(1e-6, 160, 10, 50).training_steps == 1
