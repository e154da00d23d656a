"""Training of whole architectures agrees across frameworks."""

import numpy as np
import pytest

pytest.importorskip("torch")  # before TensorFlow
pytest.importorskip("tensorflow")

import nas_surgery as ns
from nas_surgery.testing.oracles import assert_close
from nas_surgery.testing.zoo import ZOO, zoo_inputs
from nas_surgery.training.optimizers import SGD
from nas_surgery.training.plans import Recipe
from nas_surgery.training.state import Samples, TrainState


@pytest.mark.parametrize("name", [name for name in ZOO if name != "resnet20"])  # as resnet8
def test_twenty_steps_agree(name: str) -> None:
    """Losses, weights and statistics in float64, with momentum and short batches."""
    network = ZOO[name](classes=3, width=4).astype(np.float64)
    samples = Samples(zoo_inputs(network, 5), np.arange(5) % 3)
    plan = Recipe(SGD(0.02, 0.9), batch_size=3).plan(5, 0, 20)
    (first, wanted), (second, losses) = (
        backend.train(TrainState(network), backend.place(samples), plan)
        for backend in map(ns.backend, ("torch", "tensorflow"))
    )
    assert_close(losses, wanted, 1e-6, "losses")
    theirs = {**first.network.parameters(), **first.network.statistics()}
    for key, array in {**second.network.parameters(), **second.network.statistics()}.items():
        assert_close(array, theirs[key], 1e-6, key)
