"""What the operator benchmark trains and judges: one data source, plain SGD on the NumPy backend."""

from functools import cached_property
from typing import Any

import attrs
import numpy as np

from nas_surgery import Network
from nas_surgery.data.dataset import load_dataset
from nas_surgery.data.splits import Splits, split
from nas_surgery.network import Array
from nas_surgery.numpy_backend.backend import NumpyBackend
from nas_surgery.operations import Context, Operation
from nas_surgery.plugins.registry import default_registry
from nas_surgery.runs.spec import Spec
from nas_surgery.search.damage import relative_change
from nas_surgery.surgery import Surgery
from nas_surgery.training.evaluation import evaluate
from nas_surgery.training.optimizers import SGD
from nas_surgery.training.plans import Recipe
from nas_surgery.training.state import Samples, TrainState, apply_prefix

PROBE = 1024
LARGEST_TRAINING_PART, VALIDATION = 10_000, 2_000
RATE, BATCH = 0.005, 16


@attrs.define(slots=False)
class Setting:
    """A data source, split as a run would split it: operations see training samples only."""

    source: str

    @cached_property
    def splits(self) -> Splits:
        dataset = load_dataset(self.source, default_registry().all("datasets"))
        data: dict[str, Any] = {"source": self.source}
        if len(dataset.x) >= LARGEST_TRAINING_PART + VALIDATION:
            data |= {"train_limit": LARGEST_TRAINING_PART, "validation": VALIDATION}
        return split(dataset, Spec.from_dict({"data": data}).data.split_plan(), "auto")

    @cached_property
    def _placed(self) -> dict[str, Samples]:
        network = self.network((), 0)
        parts = {"train": self.splits.train, "test": self.splits.test}
        return {name: apply_prefix(network, part) for name, part in parts.items()}

    @property
    def batches(self) -> int:
        """In one epoch."""
        return -(-len(self.splits.train) // BATCH)

    def network(self, hidden: tuple[int, ...], seed: int) -> Network:
        splits = self.splits
        shape = splits.train.x.shape[1:]
        preprocessing = (splits.normalize,)
        return Network.dense(
            shape, hidden, splits.outputs, "relu", seed=seed, preprocessing=preprocessing
        )

    def train(self, state: TrainState, batches: int, seed: int) -> TrainState:
        """Go on for so many batches, in the order that belongs to the seed."""
        recipe = Recipe(SGD(RATE), batch_size=BATCH, seed=seed)
        plan = recipe.plan(len(self.splits.train), state.step, batches)
        return NumpyBackend().train(state, self._placed["train"], plan)[0]

    def trained(self, hidden: tuple[int, ...], epochs: int, seed: int) -> TrainState:
        return self.train(TrainState(self.network(hidden, seed)), epochs * self.batches, seed)

    def operate(self, operation: Operation, network: Network, seed: int) -> Surgery:
        train = self.splits.train
        return operation.apply(network, Context(seed, (), train.x[:PROBE], train.y[:PROBE]))

    def accuracy(self, network: Network) -> float:
        """On the test part, in percent."""
        test = self._placed["test"]
        return 100 * evaluate(self._logits(network), test.y, "cross_entropy").accuracy

    def change(self, before: Network, after: Network) -> float:
        """Of the outputs on the test part, RMS ÷ RMS."""
        return relative_change(self._logits(before), self._logits(after))

    def _logits(self, network: Network) -> Array:
        logits: Array = NumpyBackend().predict(network, self._placed["test"])
        return logits.astype(np.float64)


def summary(values: list[float]) -> dict[str, Any]:
    """Mean, standard deviation over the seeds, and the values themselves."""
    return {
        "mean": float(np.mean(values)),
        "std": float(np.std(values, ddof=1)) if len(values) > 1 else 0.0,
        "values": [float(value) for value in values],
    }
