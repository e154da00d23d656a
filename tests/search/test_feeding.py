"""Samples that are handed over in pieces, against the same training on all of them at once."""

import numpy as np
import pytest

from nas_surgery.network import Network, Normalize
from nas_surgery.numpy_backend.backend import NumpyBackend
from nas_surgery.search import feeding
from nas_surgery.search.feeding import Feed
from nas_surgery.training.augmentation import Augmentation
from nas_surgery.training.optimizers import SGD
from nas_surgery.training.plans import Recipe
from nas_surgery.training.state import Samples, TrainState
from nas_surgery.training.state_bytes import state_to_bytes

GENERATOR = np.random.default_rng(0)
X = GENERATOR.integers(0, 256, (22, 5, 4, 1), dtype=np.uint8)
Y = GENERATOR.integers(0, 3, 22)
SCALING = Normalize(np.float32(0), np.float32(255))
START = Network.dense((5, 4, 1), [6], 3, seed=1, preprocessing=(SCALING,))
BACKEND = NumpyBackend()
RECIPE = Recipe(SGD(0.1, momentum=0.9), batch_size=4, seed=3)  # 6 batches an epoch, the last of 2
STEPS = (3, 14)  # from the middle of an epoch over two of their ends


def trained(recipe, samples=None, watch=None, state=None, steps=STEPS):
    """A state as bytes, and the losses of all batches."""
    feed = Feed(BACKEND.place, recipe, START, samples or Samples(X, Y))
    state = state or TrainState(START, step=steps[0])
    plan = recipe.plan(len(feed.samples), state.step, steps[1] - state.step)
    state, losses = feed.train(BACKEND, state, plan, watch)
    return state, losses.tolist()


def in_pieces(monkeypatch, piece=1):
    monkeypatch.setattr(feeding, "WHOLE", 1)
    monkeypatch.setattr(feeding, "PIECE", piece)


@pytest.mark.parametrize("piece", [1, 80 * 4 * 4 * 2 + 7, 10**9], ids=["one", "some", "epochs"])
def test_pieces_change_no_bit(monkeypatch, piece):
    """Weights, optimizer state and losses are those of samples that were placed once, and samples stay
    bytes; who watches is told of the same batches."""
    seen = [], []
    whole, losses = trained(RECIPE, watch=lambda losses, _: seen[0].extend(losses))
    in_pieces(monkeypatch, piece)
    held = Feed(BACKEND.place, RECIPE, START, Samples(X, Y))
    assert not held.whole
    assert held.samples.x.dtype == np.uint8
    cut, same = trained(RECIPE, watch=lambda losses, _: seen[1].extend(losses))
    assert state_to_bytes(cut) == state_to_bytes(whole)
    assert same == losses
    assert seen[0] == seen[1] == losses


def test_more_samples_are_counted_behind_the_others(monkeypatch):
    """As a refit wants them, whole or in pieces."""
    more = Samples(X[:7], Y[:7])
    both = Samples(np.concatenate([X, X[:7]]), np.concatenate([Y, Y[:7]]))
    expected, _ = trained(RECIPE, both)

    def refitted():
        feed = Feed(BACKEND.place, RECIPE, START, Samples(X, Y)).with_more(more)
        state = TrainState(START, step=STEPS[0])
        plan = RECIPE.plan(29, STEPS[0], STEPS[1] - STEPS[0])
        return state_to_bytes(feed.train(BACKEND, state, plan, None)[0])

    assert refitted() == state_to_bytes(expected)
    in_pieces(monkeypatch)
    assert refitted() == state_to_bytes(expected)


@pytest.mark.parametrize("piece", [1, 10**9])
def test_augmented_epochs_are_those_of_samples_that_were_varied_before(monkeypatch, piece):
    """Each epoch trains on its own draw of every sample, before they are scaled."""
    augment = Augmentation("horizontal", 2)
    monkeypatch.setattr(feeding, "PIECE", piece)
    varied, _ = trained(Recipe(SGD(0.1), batch_size=4, seed=3, augment=augment))
    state = TrainState(START, step=STEPS[0])
    for epoch, stop in enumerate((6, 12, 14)):
        drawn = Samples(augment.draw(X, np.arange(22), 22, 3, epoch), Y)
        recipe = Recipe(SGD(0.1), batch_size=4, seed=3)
        state, _ = trained(recipe, drawn, state=state, steps=(0, stop))
    assert state_to_bytes(varied) == state_to_bytes(state)


def test_training_may_be_cut_anywhere_under_augmentation():
    """And goes on with the same draws."""
    recipe = Recipe(SGD(0.1), batch_size=4, seed=3, augment=Augmentation("both", 1))
    whole, _ = trained(recipe)
    half, _ = trained(recipe, steps=(3, 8))
    again, _ = trained(recipe, state=half, steps=(0, 14))
    assert state_to_bytes(again) == state_to_bytes(whole)


def test_a_loss_that_is_not_finite_ends_the_pieces(monkeypatch):
    """As it ends training on all at once."""
    in_pieces(monkeypatch)
    recipe = Recipe(SGD(1e20), "mean_squared_error", batch_size=4)
    _, losses = trained(recipe, Samples(X, np.ones((22, 3))))
    assert len(losses) < 11
    assert np.isfinite(losses[:-1]).all()
    assert not np.isfinite(losses[-1])
