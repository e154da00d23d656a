"""The data sets of the defaults benchmark: what scikit-learn bundles, MNIST, and synthetic families."""

from collections.abc import Callable
from pathlib import Path

import attrs
import numpy as np
from sklearn import datasets
from sklearn.model_selection import train_test_split

Array = np.ndarray
TEST = 0.2
BUNDLED = ("digits", "iris", "wine", "breast_cancer", "diabetes", "linnerud")
MNIST = (2_000, 10_000, 60_000)


@attrs.frozen(eq=False)
class Parts:
    """Training and test part of one set for one seed."""

    x: Array
    y: Array
    x_test: Array
    y_test: Array

    @property
    def regression(self) -> bool:
        return self.y.dtype.kind == "f"

    @property
    def arrays(self) -> tuple[Array, Array, Array, Array]:
        return self.x, self.y, self.x_test, self.y_test


def names(mnist: Path | None) -> list[str]:
    """Every set; those of MNIST only with its file."""
    pixels = [f"mnist_{count}" for count in MNIST] if mnist else []
    return [*BUNDLED, *FAMILIES, *pixels]


def load(name: str, seed: int, mnist: Path | None = None) -> Parts:
    """A set, split by the seed; synthetic ones are drawn by it, and MNIST has a test part of its own."""
    if name.startswith("mnist_"):
        return _mnist(mnist, int(name.removeprefix("mnist_")), seed)
    if name in BUNDLED:
        x, y = getattr(datasets, f"load_{name}")(return_X_y=True)
    else:
        x, y = FAMILIES[name](np.random.default_rng(seed))
    strata = None if y.dtype.kind == "f" else y
    x, x_test, y, y_test = train_test_split(
        x, y, test_size=TEST, random_state=seed, stratify=strata
    )
    return Parts(x, y, x_test, y_test)


def _mnist(file: Path | None, count: int, seed: int) -> Parts:
    assert file is not None, "MNIST needs --mnist FILE"
    with np.load(file) as held:
        x, y, x_test, y_test = (held[key] for key in ("x_train", "y_train", "x_test", "y_test"))
    chosen = np.random.default_rng(seed).permutation(len(x))[:count]
    flat = x.reshape(len(x), -1)[chosen]
    return Parts(flat, y[chosen], x_test.reshape(len(x_test), -1), y_test)


def linear(random: np.random.Generator) -> tuple[Array, Array]:
    """Two classes on both sides of a plane, 15 % of them on the wrong one."""
    x = random.normal(size=(2_000, 20))
    sides = x @ random.normal(size=20) > 0
    return x, (sides ^ (random.random(2_000) < 0.15)).astype(int)


def xor(random: np.random.Generator) -> tuple[Array, Array]:
    """The parity of three signs among ten columns, 5 % of labels wrong."""
    x = random.normal(size=(3_000, 10))
    odd = (x[:, :3] > 0).sum(axis=1) % 2 == 1
    return x, (odd ^ (random.random(3_000) < 0.05)).astype(int)


def spirals(random: np.random.Generator) -> tuple[Array, Array]:
    """Three arms in a plane."""
    arm, turn = random.integers(3, size=1_500), random.random(1_500) ** 0.5
    angle = 9 * turn + 2 * np.pi / 3 * arm
    points = turn[:, None] * np.column_stack([np.cos(angle), np.sin(angle)])
    return points + random.normal(size=points.shape) * 0.03, arm


def irrelevant(random: np.random.Generator) -> tuple[Array, Array]:
    """Six of 200 columns matter, for four classes."""
    return datasets.make_classification(
        2_000,
        200,
        n_informative=6,
        n_redundant=0,
        n_classes=4,
        n_clusters_per_class=1,
        class_sep=1.5,
        random_state=int(random.integers(2**31)),
    )


def imbalanced(random: np.random.Generator) -> tuple[Array, Array]:
    """One in twenty is of the second class."""
    return datasets.make_classification(
        4_000,
        15,
        n_informative=8,
        weights=[0.95],
        flip_y=0.01,
        random_state=int(random.integers(2**31)),
    )


def heteroscedastic(random: np.random.Generator) -> tuple[Array, Array]:
    """A smooth target whose noise grows with one column, and has heavy tails."""
    x = random.uniform(-2, 2, size=(2_000, 8))
    smooth = np.sin(2 * x[:, 0]) * x[:, 1] + x[:, 2] ** 2 - x[:, 3]
    return x, 1_000 * (smooth + 0.2 * (1 + np.abs(x[:, 4])) * random.standard_t(3, 2_000))


def skewed(random: np.random.Generator) -> tuple[Array, Array]:
    """Two classes from many columns that are mostly zero and otherwise log-normal, with noise."""
    hidden = random.normal(size=(4_300, 6))
    there = hidden @ random.normal(size=(6, 50)) * 0.6 + random.normal(size=(4_300, 50)) > 0.8
    x = there * np.exp(hidden @ random.normal(size=(6, 50)) * 0.4 + random.normal(size=(4_300, 50)))
    score = hidden[:, 0] + hidden[:, 1] * hidden[:, 2] + 0.5 * random.normal(size=4_300)
    return x, (score > 0).astype(int)


def letters(random: np.random.Generator) -> tuple[Array, Array]:
    """Twenty-six classes of three clusters each, in sixteen columns of small whole numbers."""
    centres = random.uniform(2, 13, size=(26, 3, 16))
    y, which = random.integers(26, size=8_000), random.integers(3, size=8_000)
    x = centres[y, which] + random.normal(size=(8_000, 16)) * 2.2
    return np.clip(np.round(x), 0, 15).astype(int), y


FAMILIES: dict[str, Callable[[np.random.Generator], tuple[Array, Array]]] = {
    each.__name__: each
    for each in (
        linear,
        xor,
        spirals,
        irrelevant,
        imbalanced,
        heteroscedastic,
        skewed,
        letters,
    )
}
