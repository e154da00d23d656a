"""What is told about a run: the journal's header, `summary.json`, and the metadata of the ONNX file."""

from collections.abc import Sequence
from importlib import metadata
from platform import python_version
from typing import Any

from nas_surgery.network import Network
from nas_surgery.runs.preparation import Preparation
from nas_surgery.search.endings import SearchResult
from nas_surgery.strategies.jobs import Cost, Outcome


def header(made: Preparation, start: str) -> dict[str, Any]:
    """Everything that the results depend on. start: SHA-256 of the start network.

    How jobs are carried out is left out but for the threads, because it changes nothing.
    """
    spec = made.spec.to_dict()
    spec["run"] = {"threads": made.spec.run.threads, "baseline": made.spec.run.baseline}
    return {
        "spec": spec,
        "data": data_account(made),
        "start": start,
        "device": made.device,
        "versions": versions(made),
        "plugins": plugins_in_use(made),
    }


def plugins_in_use(made: Preparation) -> dict[str, str]:
    """Name and version of the plugins that the run can call; others may come and go."""
    spec = made.spec
    used = [("operations", name) for name in made.operations]
    used += [("scores", spec.search.score), ("strategies", spec.search.strategy)]
    used += [("backends", spec.training.backend)]
    owners = [made.registry.owner(kind, name) for kind, name in used]
    return {owner.name: owner.version for owner in owners}


def differences(before: dict[str, Any], now: dict[str, Any], path: str = "") -> list[str]:
    """One line for each value in which two headers differ."""
    lines = []
    for key in sorted(before.keys() | now.keys()):
        old, new = before.get(key), now.get(key)
        place = f"{path}{key}"
        if isinstance(old, dict) and isinstance(new, dict):
            lines += differences(old, new, f"{place}.")
        elif old != new:
            lines.append(f"{place} was {old!r} and is {new!r}")
    return lines


def figures(
    outcome: Outcome, network: Network, made: Preparation, tested: bool = True
) -> dict[str, Any]:
    """Accuracy, size and topology of one trained network. The test part is read here and nowhere else,
    and only if `tested`: not for a network with which the run is to go on."""
    test = made.splits.test if tested else None
    accuracy = None if test is None else made.evaluate(network, test).accuracy
    return {
        "accuracy": {"validation": outcome.accuracy, "test": accuracy},
        "loss": {"validation": outcome.loss},
        "parameters": network.parameter_count,
        "macs": network.macs,
        "hidden": list(network.hidden),
    }


def summary(
    made: Preparation,
    found: SearchResult,
    winner: dict[str, Any],
    baseline: dict[str, Any] | None,
    seconds: float,
    warnings: Sequence[str] = (),
) -> dict[str, Any]:
    """What `summary.json` holds. winner, baseline: their `figures`."""
    spec, start = made.spec, made.network
    return {
        "backend": made.backend.name,
        "device": made.device,
        "seed": spec.seed,
        "strategy": spec.search.strategy,
        "score": score_name(made),
        "data": data_account(made),
        "task": made.splits.task,
        "outputs": made.splits.outputs,
        "metric": made.splits.metric,
        "chance": made.splits.chance,
        "classes": list(made.splits.class_names),
        "hidden": {"start": list(start.hidden), "end": winner["hidden"]},
        "parameters": {"start": start.parameter_count, "end": winner["parameters"]},
        "macs": {"start": start.macs, "end": winner["macs"]},
        "accuracy": winner["accuracy"],
        "loss": winner["loss"],
        "baseline": baseline,
        "cost": cost_account(made, found.cost, found.network, seconds),
        "operations": list(found.operations),
        "parents": list(found.lineage),
        "stopped": found.stopped,
        "warnings": list(warnings),
        "reason": found.reason,
        "pareto": [
            {
                "job": o.job,
                "parameters": o.parameters,
                "epochs": made.epochs_of(o),
                "loss": o.loss,
                "accuracy": o.accuracy,
            }
            for o, _ in found.front
        ],
        "versions": versions(made),
    }


def score_name(made: Preparation) -> str | None:
    """The score that decided; None if the strategy has a measure of its own."""
    return made.spec.search.score if made.strategy.judges_by_score else None


def cost_account(made: Preparation, cost: Cost, network: Network, seconds: float) -> dict[str, Any]:
    """The price of the search, with everything that lost.

    macs: of training and of evaluations. relative: training MACs of the whole search ÷ MACs of training the
    final network for `max_epochs`.
    """
    samples = len(made.splits.train)
    reference = Cost.of_training(samples * made.max_epochs, network.macs)
    return {
        "samples": cost.training_samples,
        "macs": cost.macs,
        "training_macs": cost.training_macs,
        "seconds": round(seconds, 3),
        "epoch_equivalents": cost.training_samples / samples,
        "relative": cost.training_macs / reference.training_macs,
    }


def onnx_metadata(made: Preparation, found: SearchResult) -> dict[str, Any]:
    """What the exported winner says of itself."""
    splits = made.splits
    return {
        "score": {
            "name": score_name(made),
            splits.metric: found.winner.accuracy,
            "loss": found.winner.loss,
        },
        "parents": list(found.lineage),
        "operations": list(found.operations),
        "seed": made.spec.seed,
        "class_names": list(splits.class_names),
        "scaling": made.spec.data.scaling,
        "versions": versions(made),
    }


def data_account(made: Preparation) -> dict[str, Any]:
    """Source, sizes and content of the data."""
    splits = made.splits
    return {
        "source": made.spec.data.source,
        **({} if made.encoding is None else {"target": made.encoding.target}),
        "train": len(splits.train),
        "validation": len(splits.validation),
        "test": None if splits.test is None else len(splits.test),
        "sha256": splits.digest,
    }


def versions(made: Preparation) -> dict[str, str]:
    """Of everything that the numbers depend on."""
    ours = {"nas-surgery": metadata.version("nas-surgery"), "python": python_version()}
    libraries = {name: metadata.version(name) for name in ("numpy", "scipy")}
    return {**ours, **libraries, **made.backend.versions()}
