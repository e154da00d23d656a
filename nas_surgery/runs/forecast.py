"""What a run would do, before it does it: everything is prepared, and nothing is written or trained."""

from collections.abc import Mapping
from typing import Any

from nas_surgery.network import as_mapping
from nas_surgery.runs import accounts
from nas_surgery.runs.callers import SpecLike, as_spec, given_keys
from nas_surgery.runs.overrides import blaming
from nas_surgery.runs.preparation import Preparation, prepare
from nas_surgery.runs.unused import unused
from nas_surgery.strategies.jobs import Cost


def forecast(spec: SpecLike, overrides: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The plan of a run as JSON values: data, task, resolved spec, start network, and what it may cost.

    Raises what `run` raises before it begins.
    """
    given = as_mapping("overrides", overrides)
    resolved = as_spec(spec, given)
    with blaming(given, None if isinstance(spec, Mapping) else spec):
        made = prepare(resolved)
    splits, start = made.splits, made.network
    return {
        "data": accounts.data_account(made),
        "task": splits.task,
        "outputs": splits.outputs,
        "metric": splits.metric,
        "classes": list(splits.class_names),
        "spec": made.spec.to_dict(),
        "device": made.device,
        "start": {
            "inputs": list(start.input_shape),
            "hidden": list(start.hidden),
            "parameters": start.parameter_count,
            "macs": start.macs,
        },
        "cost": _cost(made),
        "warnings": [*unused(made, given_keys(spec, given), False), *made.refused],
    }


def _cost(made: Preparation) -> dict[str, Any]:
    """Training MACs that the search may take, beside the baseline that was asked for.

    relative: ÷ training the winner for max_epochs; None where the strategy has no such cap. winner_macs:
    of one sample, for the largest winner that the limits allow, or without any for the start network.
    """
    samples = len(made.splits.train) * made.max_epochs
    cap = getattr(made.strategy, "max_cost", None)
    limit = made.spec.search.max_macs
    macs = made.network.macs if limit is None else limit
    training = Cost.of_training(samples, macs).training_macs
    own = Cost.of_training(samples, made.network.macs).training_macs
    return {
        "relative": cap,
        "max_epochs": made.max_epochs,
        "winner_macs": macs,
        "limited": limit is not None,
        "macs": None if cap is None else round(cap * training),
        "baseline_macs": own if made.spec.run.baseline else 0,
    }
