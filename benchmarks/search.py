"""Does the search earn its price? A study with its controls, and Optuna beside it, with the same batches.

    python benchmarks/search.py --data npz:mnist.npz --out DIR --long --json results/search.json

The specs in specs/: 10,000 training, 2,000 validation and 10,000 test samples, SGD .005 on batches of 16, 50
epochs, from three start topologies, NumPy. Beside the default strategy: the paper's; the start topology for
as many epochs; the study's controls; Optuna (TPE, median pruner, 1-3 layers of 4-512 units; pip install -e
.[benchmarks]) stopped at the same training cost. Then the default strategy at five prices. The small start and
one seed; --long: small, medium and large, three seeds. What DIR holds of it already is not measured again.
"""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from origin import origin
from search_report import report
from threadpoolctl import threadpool_limits

import nas_surgery as ns
from nas_surgery.formats.toml import read_toml
from nas_surgery.runs.preparation import prepare
from nas_surgery.strategies import DefaultStrategy
from nas_surgery.strategies.jobs import PASSES
from nas_surgery.studies.controls import CONTROLS

STARTS = ("small", "medium", "large")
SEEDS = (6, 63, 97)
PRICES = (0.001, 0.003, 0.01, 0.03, 0.1)
PRICE_STARTS = ("small", "medium")
PACKAGES = ("nas-surgery", "numpy", "scipy", "optuna")
NAMES = {  # of the controls in the table
    "whole-budget": "start, whole budget",
    "random-edits": "random edits",
    "redrawn-weights": "edits lose the weights",
    "final-from-scratch": "final from scratch",
}
SPECS = Path(__file__).with_name("specs")

Row = dict[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="npz:mnist.npz", help="source of MNIST")
    parser.add_argument("--out", type=Path, required=True, help="directory of the studies")
    parser.add_argument("--long", action="store_true", help="all starts, three seeds")
    parser.add_argument("--starts", nargs="+", choices=STARTS)
    parser.add_argument("--seeds", type=int, nargs="+")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--json", type=Path, help="write the results here too")
    options = parser.parse_args()
    results = measure(options)
    if options.json is not None:
        options.json.write_text(json.dumps(results, indent=1) + "\n")
    print("\n".join(report(results)))


def measure(options: argparse.Namespace) -> Row:
    starts = options.starts or (STARTS if options.long else STARTS[:1])
    seeds = options.seeds or (SEEDS if options.long else SEEDS[-1:])
    shared = {"seeds": seeds, "workers": options.workers}
    shared["overrides"] = {"data.source": options.data}
    specs = [SPECS / f"{kind}-{start}.toml" for kind in ("paper", "default") for start in starts]
    contest = ns.study(specs, out=options.out / "contest", controls=tuple(CONTROLS), **shared)
    runs = list(contenders(contest.rows))
    with threadpool_limits(1):
        runs += [optuna(row, options) for row in runs if row["contender"] == "default"]
    return {
        **origin(PACKAGES),
        "data": options.data.rpartition("/")[2],
        "starts": list(starts),
        "seeds": list(seeds),
        "runs": runs,
        "prices": prices(starts, options.out / "prices", shared),
    }


def contenders(rows: list[Row]) -> Iterator[Row]:
    """The searches, their start topology, and the controls of the default strategy."""
    for row in rows:
        kind, _, start = row["spec"].partition("-")
        if kind == "default" or row["control"] is None:
            contender = NAMES.get(row["control"], kind)
            yield {"start": start, "seed": row["seed"], "contender": contender, **figures(row)}
        if kind == "default" and row["control"] is None:
            yield {"start": start, "seed": row["seed"], "contender": "start", **baseline(row)}


def figures(row: Row) -> Row:
    """A run; macs: of all its training."""
    return {
        "hidden": row["hidden"]["end"],
        "parameters": row["parameters"]["end"],
        "validation": row["accuracy"],
        "test": row["test_accuracy"],
        "validation_loss": row["loss"],
        "cost": row["relative_cost"],
        "macs": row["cost"]["training_macs"],
        "seconds": row["cost"]["seconds"],
    }


def baseline(row: Row) -> Row:
    """The start topology that was trained beside a search."""
    made = ns.Spec.from_toml(SPECS / f"{row['spec']}.toml")
    samples = made.data.train_limit * made.search.max_epochs
    return {
        "hidden": row["hidden"]["start"],
        "parameters": row["parameters"]["start"],
        "validation": row["baseline_accuracy"],
        "test": row["baseline_test_accuracy"],
        "macs": PASSES * row["macs"]["start"] * samples,
    }


def optuna(default: Row, options: argparse.Namespace) -> Row:
    """Trials for the training budget of a default run; kept, as a study keeps its runs."""
    from search_optuna import Trials

    place = {"start": default["start"], "seed": default["seed"], "contender": "optuna"}
    file = options.out / f"optuna-{default['start']}-{default['seed']}.json"
    if not file.exists():
        path = SPECS / f"default-{default['start']}.toml"
        given = {"data.source": options.data, "seed": default["seed"]}
        made = prepare(ns.Spec.from_toml(path, given))
        file.write_text(json.dumps(Trials(made, default["macs"]).run()))
    return {**place, **json.loads(file.read_text())}


def prices(starts: tuple[str, ...], out: Path, shared: Row) -> list[Row]:
    """The default strategy at each price."""
    known = [start for start in starts if start in PRICE_STARTS]
    specs = {f"{start}-{price}": at_price(start, price) for start in known for price in PRICES}
    found = ns.study(specs, out=out, **shared).rows if specs else []
    return [
        {
            "start": row["spec"].split("-")[0],
            "seed": row["seed"],
            "price": float(row["spec"].split("-")[1]),
            **figures(row),
        }
        for row in found
    ]


def at_price(start: str, price: float) -> Row:
    spec = read_toml(SPECS / f"default-{start}.toml")
    own = {} if price == DefaultStrategy().price else {"price": price}
    return {**spec, "search": {**spec["search"], **own}}


if __name__ == "__main__":
    main()
