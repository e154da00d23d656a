"""Pictures mirrored and shifted, against NumPy's own flip and a padded picture that is cut out anew."""

import numpy as np
import pytest

from nas_surgery.errors import DataError
from nas_surgery.training.augmentation import Augmentation

X = np.random.default_rng(0).integers(1, 256, (30, 7, 6, 3), dtype=np.uint8)
ALL = np.arange(len(X))


def shifted(x, down, right, most=6):
    """A sample (H, W, …) moved, cut out of one with a black border."""
    border = [(most, most), (most, most)] + [(0, 0)] * (x.ndim - 2)
    padded = np.pad(x, border)
    top, left = most - down, most - right
    return padded[top : top + x.shape[0], left : left + x.shape[1]]


@pytest.mark.parametrize(
    "x", [X, X[..., 0], X.astype(np.float32)], ids=["colour", "grey", "floats"]
)
def test_copies_are_the_mirrored_and_the_four_shifted(x):
    """Behind the samples themselves, in blocks, with their labels: six times as many, as in the ICLR text."""
    made, labels = Augmentation("horizontal", 4, "copies").with_copies(x, ALL)
    moves = [(-4, 0), (4, 0), (0, -4), (0, 4)]
    expected = [x, np.flip(x, 2)]
    expected += [np.array([shifted(sample, *move) for sample in x]) for move in moves]
    assert made.dtype == x.dtype
    assert np.array_equal(made, np.concatenate(expected))
    assert np.array_equal(labels, np.tile(ALL, 6))


@pytest.mark.parametrize(
    ("flip", "axes"),
    [("horizontal", [2]), ("vertical", [1]), ("both", [2, 1, (1, 2)]), (None, [])],
)
def test_copies_are_mirrored_along_what_is_asked_for(flip, axes):
    """And along both where both are."""
    made, _ = Augmentation(flip, 0 if flip else 1, "copies").with_copies(X, ALL)
    for block, axis in enumerate(axes, 1):
        assert np.array_equal(made[block * len(X) :][: len(X)], np.flip(X, axis))
    assert len(made) == len(X) * (1 + len(axes) + (0 if flip else 4))


@pytest.mark.parametrize("flip", [None, "horizontal", "vertical", "both"])
def test_every_drawn_sample_is_one_of_those_that_may_come(flip):
    """Each mirrored and shifted as it may be, and over many epochs each of them comes."""
    augment = Augmentation(flip, 1)
    axes = {None: [()], "horizontal": [(), 1], "vertical": [(), 0], "both": [(), 0, 1, (0, 1)]}[
        flip
    ]
    may = {
        shifted(np.flip(X[3], axis), down, right).tobytes()
        for axis in axes
        for down in (-1, 0, 1)
        for right in (-1, 0, 1)
    }
    which = np.array([3])
    come = {augment.draw(X[which], which, len(X), 5, epoch)[0].tobytes() for epoch in range(400)}
    assert come == may


def test_a_draw_depends_on_seed_epoch_and_sample_alone():
    """Not on which samples are asked for beside it, or in which order."""
    augment = Augmentation("both", 3)
    whole = augment.draw(X, ALL, len(X), 5, 2)
    which = np.array([17, 4, 4, 29])
    assert np.array_equal(augment.draw(X[which], which, len(X), 5, 2), whole[which])
    assert not np.array_equal(augment.draw(X, ALL, len(X), 5, 3), whole)
    assert not np.array_equal(augment.draw(X, ALL, len(X), 6, 2), whole)


@pytest.mark.parametrize(
    ("shape", "rule"),
    [
        ((64,), "needs pictures of shape"),
        ((2, 3, 4, 5), "got samples of shape (2, 3, 4, 5)"),
        ((4, 8), "translate = 4 shifts samples of shape (4, 8) out of view"),
    ],
)
def test_what_is_no_picture_is_refused(shape, rule):
    """With the key of the spec."""
    with pytest.raises(DataError) as refusal:
        Augmentation(None, 4).check(shape)
    assert str(refusal.value).startswith("data.augment")
    assert rule in str(refusal.value)
