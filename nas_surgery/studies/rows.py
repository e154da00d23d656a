"""One run of a study in figures, from its summary."""

from typing import Any

from nas_surgery.studies.plan import Task

Row = dict[str, Any]


def row(task: Task, summary: dict[str, Any], search: dict[str, Any]) -> Row:
    """A run. summary: its own; search: that of the search, which has the baseline of controls too.

    learned: whether the network is better on the validation part than one that always gives the same
    answer. relative_cost: MACs of all training ÷ those of training the final network.
    """
    baseline = search.get("baseline") or {}
    before = baseline.get("accuracy") or {}
    accuracy, cost = summary["accuracy"], summary["cost"]
    return {
        "spec": task.spec,
        "strategy": summary["strategy"],
        "control": task.control,
        "seed": task.seed,
        "repeat": task.repeat,
        "directory": str(task.path),
        "metric": summary["metric"],
        "accuracy": accuracy["validation"],
        "baseline_accuracy": before.get("validation"),
        "test_accuracy": accuracy["test"],
        "baseline_test_accuracy": before.get("test"),
        "loss": summary["loss"]["validation"],
        "parameters": summary["parameters"],
        "macs": summary["macs"],
        "hidden": summary["hidden"],
        "cost": {
            "epochs": cost["epoch_equivalents"],
            "macs": cost["macs"],
            "training_macs": cost["training_macs"],
            "seconds": cost["seconds"],
        },
        "relative_cost": cost["relative"],
        "chance": summary["chance"],
        "learned": learned(accuracy["validation"], summary["chance"]),
        "baseline_learned": learned(before.get("validation"), summary["chance"]),
        "stopped": summary["stopped"],
    }


def learned(accuracy: float | None, chance: float) -> bool:
    """Whether a network is better than always giving the same answer; one that diverged is not."""
    return accuracy is not None and accuracy > chance
