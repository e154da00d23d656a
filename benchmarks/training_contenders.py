"""The contenders of `training_speed.py`, and the networks that they train.

A contender is a function that takes in the data of a case; it returns one that builds a network
of that case, and that returns one that trains it.
"""

from collections.abc import Callable
from importlib import util
from itertools import pairwise

import attrs
import numpy as np

BATCH, CLASSES, RATE = 16, 10, 0.005
BACKENDS = ("numpy", "torch", "tensorflow")

Train = Callable[[int], object]  # takes a number of epochs


@attrs.frozen
class Case:
    """A network, and how long to train it in one repeat.

    updates: steps that it has behind it already, for a backend that compiles after a while.
    """

    name: str
    inputs: int
    hidden: tuple[int, ...]
    samples: int = 10000
    epochs: int = 5
    updates: int = 2**16

    @property
    def steps(self) -> int:
        return self.epochs * self.samples // BATCH

    def other_topology(self, number: int) -> "Case":
        """A case of one step, the first one, with slightly wider layers."""
        hidden = tuple(units + number for units in self.hidden)
        return attrs.evolve(self, hidden=hidden, samples=BATCH, epochs=1, updates=0)


Build = Callable[[Case], Train]
Contender = Callable[[Case], Build]

CASES = (
    Case("small-784", 784, (10,)),
    Case("medium-784", 784, (10, 10, 10)),
    Case("large-784", 784, (300, 100, 100), epochs=2),
    Case("small-3072", 3072, (10,)),
    Case("medium-3072", 3072, (10, 10, 10)),
    Case("large-3072", 3072, (300, 100, 100), epochs=2),
    Case("wide-784", 784, (1024, 1024, 1024), samples=4000, epochs=1),
)


def data(case: Case) -> tuple[np.ndarray, np.ndarray]:
    """Inputs (samples, inputs) and labels (samples,)."""
    generator = np.random.default_rng(0)
    x = generator.standard_normal((case.samples, case.inputs), np.float32)
    return x, generator.integers(CLASSES, size=case.samples)


def backend(name: str) -> Contender:
    from nas_surgery import Network, Samples, TrainState
    from nas_surgery import backend as find_backend
    from nas_surgery.training.optimizers import SGD
    from nas_surgery.training.plans import Recipe
    from nas_surgery.training.state import Slots

    engine, recipe = find_backend(name), Recipe(SGD(RATE), batch_size=BATCH)

    def take_in(case: Case) -> Build:
        placed = engine.place(Samples(*data(case)))

        def build(case: Case) -> Train:
            network = Network.dense(case.inputs, case.hidden, CLASSES)
            state = TrainState(network, Slots({}, case.updates), case.updates)
            steps = case.samples // BATCH
            return lambda epochs: engine.train(
                state, placed, recipe.plan(case.samples, 0, epochs * steps)
            )

        return build

    return take_in


def keras_fit(case: Case) -> Build:
    import keras
    import tensorflow as tf

    def build(case: Case) -> Train:
        pairs = tf.data.Dataset.from_tensor_slices(data(case))
        dataset = pairs.cache().shuffle(case.samples).batch(BATCH)
        hidden = [keras.layers.Dense(units, activation="relu") for units in case.hidden]
        model = keras.Sequential(
            [keras.Input((case.inputs,)), *hidden, keras.layers.Dense(CLASSES)]
        )
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(keras.optimizers.SGD(RATE), loss, metrics=["accuracy"])
        return lambda epochs: model.fit(dataset, epochs=epochs, verbose=0)

    return build


def torch_loop(case: Case) -> Build:
    import torch
    from torch import nn

    torch.set_num_threads(1)
    x, y = map(torch.from_numpy, data(case))

    def build(case: Case) -> Train:
        sizes = (case.inputs, *case.hidden, CLASSES)
        pairs = [(nn.Linear(*pair), nn.ReLU()) for pair in pairwise(sizes)]
        model = nn.Sequential(*[module for pair in pairs for module in pair][:-1])
        optimizer, loss = torch.optim.SGD(model.parameters(), RATE), nn.CrossEntropyLoss()

        def train(epochs: int) -> None:
            for _ in range(epochs):
                for rows in torch.randperm(case.samples).split(BATCH):
                    optimizer.zero_grad()
                    loss(model(x[rows]), y[rows]).backward()
                    optimizer.step()

        return train

    return build


CONTENDERS: dict[str, Callable[[], Contender]] = {
    **{name: lambda name=name: backend(name) for name in BACKENDS},
    "keras": lambda: keras_fit,
    "torch loop": lambda: torch_loop,
}


def present(name: str) -> bool:
    """Whether what a contender needs is installed."""
    if name in BACKENDS:
        from nas_surgery.plugins.registry import default_registry

        needed = () if name == "numpy" else (name,)
        return name in default_registry().names("backends") and all(map(util.find_spec, needed))
    return all(map(util.find_spec, ("keras", "tensorflow") if name == "keras" else ("torch",)))
