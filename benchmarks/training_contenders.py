"""The contenders of `training_speed.py`, and the networks that they train.

A contender is a function that takes in the data of a case; it returns one that builds a network
of that case, and that returns one that trains it.
"""

from collections.abc import Callable
from importlib import util
from itertools import pairwise, product
from time import process_time
from typing import Any

import attrs
import numpy as np
from training_images import IMAGES
from training_images_keras import KERAS_IMAGES

from nas_surgery import Network

BATCH, CLASSES, RATE = 16, 10, 0.005
BACKENDS = ("numpy", "torch", "tensorflow")

Train = Callable[[int], object]  # takes a number of epochs


@attrs.frozen
class Case:
    """A network, and how long to train it in one repeat.

    hidden: widths of a dense network; of a convolutional one, which is named in `images`, that of its
    first layer. updates: steps that it has behind it already, for a backend that compiles after a while.
    """

    name: str
    inputs: int
    hidden: tuple[int, ...]
    samples: int = 10000
    epochs: int = 5
    updates: int = 2**16
    batch: int = BATCH
    images: str | None = None

    @property
    def steps(self) -> int:
        return self.epochs * self.samples // self.batch

    @property
    def network(self) -> Network:
        """As our backends train it."""
        if self.images:
            return IMAGES[self.images][0](*self.hidden)
        return Network.dense(self.inputs, self.hidden, CLASSES)

    def other_topology(self, number: int) -> "Case":
        """A case of one step, the first one, with slightly wider layers."""
        hidden = tuple(units + number for units in self.hidden)
        return attrs.evolve(self, hidden=hidden, samples=self.batch, epochs=1, updates=0)


Build = Callable[[Case], Train]
Contender = Callable[[Case], Build | None]  # None where it cannot train such a network

CASES = (
    Case("small-784", 784, (10,)),
    Case("medium-784", 784, (10, 10, 10)),
    Case("large-784", 784, (300, 100, 100), epochs=2),
    Case("small-3072", 3072, (10,)),
    Case("medium-3072", 3072, (10, 10, 10)),
    Case("large-3072", 3072, (300, 100, 100), epochs=2),
    Case("wide-784", 784, (1024, 1024, 1024), samples=4000, epochs=1),
    Case("lenet", 784, (6,), samples=2560, epochs=1, batch=64, images="lenet"),
    Case("resnet8", 3072, (16,), samples=1280, epochs=1, batch=64, images="resnet8"),
)


def data(case: Case) -> tuple[np.ndarray, np.ndarray]:
    """Inputs (samples, inputs), or images with channels last, and labels (samples,)."""
    generator = np.random.default_rng(0)
    shape = case.network.input_shape if case.images else (case.inputs,)
    x = generator.standard_normal((case.samples, *shape), np.float32)
    return x, generator.integers(CLASSES, size=case.samples)


def backend(name: str) -> Contender:
    from nas_surgery import Samples, TrainState
    from nas_surgery import backend as find_backend
    from nas_surgery.errors import BackendError
    from nas_surgery.training.optimizers import SGD
    from nas_surgery.training.plans import Recipe
    from nas_surgery.training.state import Slots

    engine = find_backend(name)

    def take_in(case: Case) -> Build | None:
        try:
            engine.check(case.network)
        except BackendError:
            return None
        placed = engine.place(Samples(*data(case)))

        def build(case: Case) -> Train:
            recipe = Recipe(SGD(RATE), batch_size=case.batch)
            state = TrainState(case.network, Slots({}, case.updates), case.updates)
            steps = case.samples // case.batch
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
        dataset = pairs.cache().shuffle(case.samples).batch(case.batch)
        model = KERAS_IMAGES[case.images](*case.hidden) if case.images else _keras_dense(case)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(keras.optimizers.SGD(RATE), loss, metrics=["accuracy"])
        return lambda epochs: model.fit(dataset, epochs=epochs, verbose=0)

    return build


def _keras_dense(case: Case) -> Any:
    import keras

    hidden = [keras.layers.Dense(units, activation="relu") for units in case.hidden]
    return keras.Sequential([keras.Input((case.inputs,)), *hidden, keras.layers.Dense(CLASSES)])


def torch_loop(case: Case) -> Build:
    import torch

    torch.set_num_threads(1)
    x, y = map(torch.from_numpy, data(case))

    def build(case: Case) -> Train:
        if not case.images:
            return _torch_train(_torch_dense(case), x, y, case, {})
        if case.samples != len(x):  # for its set-up alone
            return _torch_train(_torch_images(case), x.movedim(-1, 1), y, case, {})
        return _best_torch_loop(case, x.movedim(-1, 1), y)

    return build


def _torch_dense(case: Case) -> Any:
    from torch import nn

    sizes = (case.inputs, *case.hidden, CLASSES)
    pairs = [(nn.Linear(*pair), nn.ReLU()) for pair in pairwise(sizes)]
    return nn.Sequential(*[module for pair in pairs for module in pair][:-1])


def _torch_images(case: Case) -> Any:
    import torch

    assert case.images
    return IMAGES[case.images][1](*case.hidden).to(memory_format=torch.channels_last)


def _best_torch_loop(case: Case, x: Any, y: Any) -> Train:
    """The fastest over some steps: how tensors lie, and how the optimizer goes through its weights."""
    import torch

    tried, few = [], attrs.evolve(case, samples=4 * case.batch)
    ways = [{}, {"foreach": False}, {"fused": True}]
    for lie, way in product((torch.channels_last, torch.contiguous_format), ways):
        model, inputs = _torch_images(case).to(memory_format=lie), x.contiguous(memory_format=lie)
        _torch_train(model, inputs, y, few, way)(1)  # warm-up
        start = process_time()
        _torch_train(model, inputs, y, few, way)(1)
        tried.append((process_time() - start, model, inputs, way))
    _, model, inputs, way = min(tried, key=lambda each: each[0])
    return _torch_train(model, inputs, y, case, way)


def _torch_train(model: Any, x: Any, y: Any, case: Case, way: dict[str, bool]) -> Train:
    import torch

    optimizer, loss = torch.optim.SGD(model.parameters(), RATE, **way), torch.nn.CrossEntropyLoss()

    def train(epochs: int) -> None:
        for _ in range(epochs):
            for rows in torch.randperm(case.samples).split(case.batch):
                optimizer.zero_grad()
                loss(model(x[rows]), y[rows]).backward()
                optimizer.step()

    return train


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
