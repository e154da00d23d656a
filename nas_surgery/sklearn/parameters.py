"""From an estimator's parameters to a spec. What is None is left out, so that the spec's own default holds."""

from collections.abc import Mapping
from numbers import Integral
from typing import Any

import attrs
from sklearn.utils import check_random_state

from nas_surgery.errors import SpecError
from nas_surgery.network import as_mapping
from nas_surgery.runs.callers import as_spec
from nas_surgery.runs.spec import Spec

KEYS = {
    "strategy": "search.strategy",
    "max_epochs": "search.max_epochs",
    "max_parameters": "search.max_parameters",
    "max_macs": "search.max_macs",
    "max_seconds": "search.max_seconds",
    "target_accuracy": "search.target_accuracy",
    "hidden": "network.hidden",
    "activation": "network.activation",
    "dropout": "network.dropout",
    "scaling": "data.scaling",
    "optimizer": "training.optimizer",
    "learning_rate": "training.learning_rate",
    "weight_decay": "training.weight_decay",
    "batch_size": "training.batch_size",
    "backend": "training.backend",
    "device": "training.device",
    "validation_size": "data.validation",
}
OF_A_NEW_NETWORK = ("hidden", "activation", "dropout", "scaling")
DECIDED = {
    "seed": "random_state gives it",
    "data.seed": "random_state gives it",
    "data.source": "fit is given the data",
    "data.test": "all samples are to learn from",
    "training.loss": "it follows from the kind of estimator",
}
LARGEST_SEED = 2**31 - 1


def make_spec(
    parameters: Mapping[str, Any], loss: str, samples: int | None, warm: bool = False
) -> Spec:
    """The spec of one fit; SpecError names what is wrong.

    parameters: of the estimator. samples: how many a validation part is cut from, or None where one is
    given; where the share of a silent spec is less than one sample, one is validated on. warm: leave out
    what only makes a new network.
    """
    overrides = as_mapping("overrides", parameters["overrides"])
    _check_undecided(overrides)
    seed = seed_of(parameters["random_state"])
    values: dict[str, Any] = {
        "seed": seed,
        "data": {"seed": seed, "test": 0},
        "training": {"loss": loss},
    }
    for name, key in KEYS.items():
        if parameters[name] is not None and not (warm and name in OF_A_NEW_NETWORK):
            table, _, field = key.partition(".")
            values.setdefault(table, {})[field] = parameters[name]
    spec = as_spec(values, overrides)
    silent = "data.validation" not in overrides and parameters["validation_size"] is None
    if silent and samples is not None and samples * spec.data.validation < 1:
        spec = attrs.evolve(spec, data=attrs.evolve(spec.data, validation=1))
    return spec


def seed_of(random_state: Any) -> int:
    """A whole number as it is; otherwise drawn from the RandomState, or with None from NumPy's global one."""
    if isinstance(random_state, Integral):
        return int(random_state)
    return int(check_random_state(random_state).randint(LARGEST_SEED))


def _check_undecided(overrides: Mapping[str, Any]) -> None:
    """SpecError for a key that is not to be chosen, and for a whole table that would hold one."""
    for key, reason in DECIDED.items():
        table = key.partition(".")[0]
        if key in overrides:
            raise SpecError(f"overrides[{key!r}]: {reason}")
        if table in overrides:
            raise SpecError(f"overrides[{table!r}]: its values are given one by one, by dotted key")
