"""Controls: what a search is held against beside its baseline, each with one thing taken away."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import attrs

from nas_surgery.formats.models import load
from nas_surgery.network import Network, keyed_generator, redrawn
from nas_surgery.strategies.jobs import PASSES

CHECKPOINTS = 20  # of the start that has the whole budget: its best network may come early
LIMITS = ("parameters", "macs")

Values = dict[str, Any]


@attrs.frozen(eq=False)
class Searched:
    """A search that has ended. spec: as resolved; summary: as in `summary.json`."""

    spec: Values
    summary: Values
    winner: Path


@attrs.frozen(eq=False)
class Start:
    """What a control runs: nested plain values, and a start network if it has one of its own."""

    spec: Values
    network: Network | None = None


def whole_budget(search: Searched) -> Start:
    """The start topology, trained for all that the search has cost."""
    epochs = max(1, search.summary["cost"]["training_macs"] // _epoch_macs(search))
    settings = {"max_epochs": epochs, "checkpoints": CHECKPOINTS}
    return Start(_with_search(search, "train", settings))


def random_edits(search: Searched) -> Start:
    """Edits chosen by lot and never judged, within the search's limits if its start is."""
    held, size = search.spec["search"], search.summary
    limits = {key: held[f"max_{key}"] for key in LIMITS if f"max_{key}" in held}
    if any(size[key]["start"] > limit for key, limit in limits.items()):
        limits = {}
    kept = {key: held[key] for key in ("max_epochs", "operations", "exclude")}
    settings = kept | {f"max_{key}": limit for key, limit in limits.items()}
    return Start(_with_search(search, "random-edits", settings))


def redrawn_weights(search: Searched) -> Start:
    """The same search, where every edit loses the weights that were trained."""
    training = {**search.spec["training"], "weights_at_surgery": "redraw"}
    return Start(_without_baseline({**search.spec, "training": training}))


def final_from_scratch(search: Searched) -> Start:
    """The winner's topology with new weights, trained without surgery."""
    draw = partial(keyed_generator, search.spec["seed"], "init")
    initializer = search.spec["network"]["initializer"]
    network = redrawn(load(search.winner), draw, initializer)
    spec = _with_search(search, "train", {"max_epochs": search.spec["search"]["max_epochs"]})
    return Start({key: value for key, value in spec.items() if key != "network"}, network)


Control = Callable[[Searched], Start]

CONTROLS: dict[str, Control] = {
    "whole-budget": whole_budget,
    "random-edits": random_edits,
    "redrawn-weights": redrawn_weights,
    "final-from-scratch": final_from_scratch,
}


def _with_search(search: Searched, strategy: str, settings: Values) -> Values:
    return _without_baseline({**search.spec, "search": {"strategy": strategy, **settings}})


def _without_baseline(spec: Values) -> Values:
    return {**spec, "run": {**spec["run"], "baseline": False}}


def _epoch_macs(search: Searched) -> int:
    """What an epoch of the start costs."""
    return PASSES * int(search.summary["macs"]["start"] * search.summary["data"]["train"])
