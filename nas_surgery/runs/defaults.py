"""What a spec leaves out: chosen from the data, or, for the paper's strategy, as in the paper."""

from math import prod, sqrt
from typing import Any

import attrs

from nas_surgery.data.splits import Splits
from nas_surgery.runs.spec import Spec, TrainingSpec
from nas_surgery.training.optimizers import OPTIMIZERS
from nas_surgery.validators import settled

Tables = dict[str, dict[str, Any]]

PAPER: Tables = {
    "data": {"scaling": "unit"},
    "network": {"hidden": (10,)},
    "training": {"optimizer": "sgd", "batch_size": 16},
    "search": {"max_epochs": 100},
}
PLAIN = {"schedule": "constant", "state_at_surgery": "reset"}
ADAM = {"learning_rate": 0.003, "schedule": "cosine", "state_at_surgery": "carry"}
OPTIMIZER = "adamw"
START = 32  # hidden units: growth and removal do the rest
STEPS = 15_000  # of a training; small networks on small sets have learnt by then what they can
BATCHES = (32, 128)
EPOCHS = (40, 300)


@attrs.frozen
class Facts:
    """What is known of the data before training. samples: of the training part. inputs: numbers in one
    sample."""

    samples: int
    inputs: int
    outputs: int
    regression: bool

    @classmethod
    def of(cls, splits: Splits) -> "Facts":
        """Measured on the training part alone."""
        x = splits.train.x
        regression = splits.loss == "mean_squared_error"
        return cls(len(x), prod(x.shape[1:]), splits.outputs, regression)


def resolve(spec: Spec, facts: Facts, paper: bool = False, start: bool = False) -> Spec:
    """The spec with what it leaves out of data, network and training filled in; what is given stays.

    paper: with the paper's settings. start: whether the start network is given, which needs no width.
    """
    tables = PAPER if paper else from_data(facts)
    spec = _filled(spec, {k: v for k, v in tables.items() if k != "network" or not start})
    if not paper:
        spec = _filled(spec, {"training": fitting(settled(spec.training.optimizer), facts)})
    return _filled(spec, {"training": {**PLAIN, **_own_rate(spec.training)}})


def with_optimizer(training: TrainingSpec, paper: bool) -> TrainingSpec:
    """`[training]` with its optimizer, which no data are needed to choose."""
    silent = PAPER["training"]["optimizer"] if paper else OPTIMIZER
    return attrs.evolve(training, optimizer=training.optimizer or silent)


def from_data(facts: Facts) -> Tables:
    """Settings that fit the data, whatever the optimizer is."""
    return {
        "data": {"scaling": "standard"},
        "network": {"hidden": (START,)},
        "training": {"optimizer": OPTIMIZER, "batch_size": batch_size(facts.samples)},
        "search": {"max_epochs": epochs(facts.samples)},
    }


def fitting(optimizer: str, facts: Facts) -> dict[str, Any]:
    """Settings of `[training]` that go with an optimizer; what Adam needs would not fit SGD."""
    if optimizer == "adamw":
        return {**ADAM, "weight_decay": weight_decay(facts.samples)}
    return ADAM if optimizer == "adam" else {}


def weight_decay(samples: int) -> float:
    """The fewer samples, the more; a search raises it where that is not enough, and never lowers it."""
    return round(_within(10 / sqrt(samples), (0.3, 1.0)), 2)


def batch_size(samples: int) -> int:
    """About a hundred batches an epoch, within bounds between which small networks learn equally well."""
    return int(_within(samples // 100, BATCHES))


def epochs(samples: int) -> int:
    """Small sets need more epochs to have as many steps."""
    return int(_within(round(STEPS * batch_size(samples) / samples), EPOCHS))


def _within(value: float, bounds: tuple[float, float]) -> float:
    return min(max(value, bounds[0]), bounds[1])


def _own_rate(training: TrainingSpec) -> dict[str, Any]:
    """The learning rate that an optimizer has by itself."""
    return {"learning_rate": OPTIMIZERS[settled(training.optimizer)]().learning_rate}


def _filled(spec: Spec, tables: Tables) -> Spec:
    """The spec with these values where it has none."""
    made = {}
    for name, values in tables.items():
        table = getattr(spec, name)
        missing = {key: value for key, value in values.items() if getattr(table, key) is None}
        made[name] = attrs.evolve(table, **missing)
    return attrs.evolve(spec, **made)
