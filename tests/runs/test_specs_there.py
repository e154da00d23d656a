"""The specs of the repository: each runs, on a tiny source of its own's shape, and the paper's are the paper's."""

import tomllib
from pathlib import Path

import numpy as np
import pytest

import nas_surgery
from nas_surgery import run
from nas_surgery.runs.preparation import prepare
from nas_surgery.runs.spec import Spec

FOLDER = Path(nas_surgery.__file__).parents[1] / "specs"
FILES = sorted(FOLDER.rglob("*.toml"))
PAPER = sorted((FOLDER / "paper").glob("*.toml"))
SHAPES = {  # of samples, how many classes, and whether there is an official test part
    "svhn:svhn": ((32, 32, 3), 10, True),
    "tfds:cifar10": ((32, 32, 3), 10, True),
    "tfds:cifar100": ((32, 32, 3), 100, True),
    "tfds:eurosat/rgb": ((64, 64, 3), 10, False),
    "tfds:emnist/digits": ((28, 28, 1), 10, True),
    "tfds:fashion_mnist": ((28, 28, 1), 10, True),
    "sklearn:digits": ((64,), 10, False),
}
SETS = ("svhn", "cifar10", "cifar100", "eurosat", "emnist", "fashion-mnist", "cifar10-augmented")
TOPOLOGIES = {"small": (10,), "medium": (10, 10, 10), "large": (300, 100, 100)}  # Table 2


def short(file):
    return str(file.relative_to(FOLDER))


def tiny(source):
    """Arrays in place of a source: bytes, two samples of each class at least, in the parts that it has."""
    shape, classes, tested = SHAPES[source]
    generator = np.random.default_rng(0)
    parts = []
    for count in (max(40, 2 * classes), classes) if tested else (max(40, 2 * classes),):
        parts += [generator.integers(0, 256, (count, *shape), dtype=np.uint8)]
        parts += [np.arange(count) % classes]
    return tuple(parts)


@pytest.mark.parametrize("file", FILES, ids=short)
def test_every_spec_runs_two_epochs(file):
    """With all its own settings, and surgery between the two."""
    spec = Spec.from_toml(file)
    given = {"search.max_epochs": 2}
    if spec.search.strategy == "paper":
        given |= {"search.initial_epochs": 1, "search.epoch_step": 1}
    result = run(file, data=tiny(spec.data.source), overrides=given)
    assert result.summary["cost"]["epoch_equivalents"] >= 2
    assert result.summary["stopped"] in ("epochs", "finished", "max_epochs")
    assert result.network.input_shape == SHAPES[spec.data.source][0]


@pytest.mark.parametrize("file", PAPER, ids=short)
def test_the_papers_specs_are_the_papers(file):
    """Settings of the appendix, as they are once all is filled in; section 4.1's parts."""
    name, _, topology = file.stem.rpartition("-")
    spec = Spec.from_toml(file)
    _, _, tested = SHAPES[spec.data.source]
    made = prepare(spec, data=tiny(spec.data.source))
    found = made.spec
    assert (found.seed, found.data.validation) == (6, "test" if tested else 0.2)
    assert found.data.test == (0 if not tested else 0.2)
    assert found.network.hidden == TOPOLOGIES[topology]
    assert found.network.activation == "relu"
    assert found.training.optimizer == "sgd"
    assert (found.training.learning_rate, found.training.batch_size) == (0.005, 16)
    assert (found.training.schedule, made.splits.loss) == ("constant", "cross_entropy")
    assert not found.training.momentum
    assert not found.training.weight_decay
    strategy = made.strategy
    assert (found.search.strategy, found.search.max_epochs) == ("paper", 100)
    assert (strategy.initial_epochs, strategy.epoch_step, strategy.branches) == (10, 10, 2)
    assert (strategy.redraws, strategy.retraining_batches) == (2, 25)
    assert (strategy.epsilon_relative, strategy.epsilon_absolute) == (0.005, 0.3)
    assert (strategy.mode, strategy.random_draw) == ("best-per-operation", True)
    augmented = name.endswith("-augmented")
    assert found.data.scaling == ("standard" if augmented else "unit")
    count = len(tiny(spec.data.source)[0])
    assert len(made.splits.train) == (6 * count if augmented else count if tested else 0.8 * count)
    assert made.splits.test is None


def test_every_set_and_topology_of_the_paper_has_a_spec_and_nothing_else():
    """Plain files, that differ in nothing but what they are named by."""
    assert {file.stem for file in PAPER} == {f"{s}-{t}" for s in SETS for t in TOPOLOGIES}
    for name in SETS:
        held = [
            tomllib.loads((FOLDER / "paper" / f"{name}-{t}.toml").read_text()) for t in TOPOLOGIES
        ]
        for values in held:
            del values["network"]
        assert held[0] == held[1] == held[2]
