"""What does a user get who gives nothing but data? Held against what else they could type first.

    python benchmarks/defaults.py --mnist mnist.npz --long --json benchmarks/results/defaults.json

Every set that scikit-learn bundles, synthetic families, and MNIST (2,000, 10,000 and 60,000 training samples) where
its file is given. Rivals, each behind a StandardScaler: MLPClassifier or MLPRegressor as it is, the same with the best
settings of 20 Optuna trials (validated like ours on a fifth of the training part), histogram gradient boosting,
logistic or ridge regression. Regressions of the MLP are given standardised targets too, as it has no scaling of its
own. A few minutes: small sets, three seeds. --long: all sets, five seeds. --sets, --seeds and --only choose others.
"""

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

from default_rivals import RIVALS
from default_sets import BUNDLED, FAMILIES, Parts, load, names
from defaults_report import report
from origin import origin
from threadpoolctl import threadpool_limits

import nas_surgery as ns
from nas_surgery.runs.spec import parse_override

PACKAGES = ("nas-surgery", "numpy", "scipy", "scikit-learn", "optuna")
SMALL = ("iris", "wine", "breast_cancer", "diabetes", "spirals", "linear")
Row = dict[str, Any]


def ours(parts: Parts, seed: int, overrides: Row) -> Row:
    """A run on nothing but data."""
    result = ns.run({"seed": seed}, data=parts.arrays, overrides=overrides)
    found = result.summary
    return {
        "test": found["accuracy"]["test"],
        "validation": found["accuracy"]["validation"],
        "parameters": found["parameters"]["end"],
        "hidden": found["hidden"]["end"],
        "cost": found["cost"]["relative"],
        "macs": found["cost"]["macs"],
        "settings": result.history[0]["spec"]["training"],
    }


def longer(parts: Parts, seed: int, overrides: Row) -> Row:
    """The same for three times the epochs."""
    from nas_surgery.runs.preparation import prepare

    spec = ns.Spec.from_dict({"seed": seed}, overrides)
    epochs = prepare(spec, None, parts.arrays).max_epochs
    return ours(parts, seed, {**overrides, "search.max_epochs": 3 * epochs})


CONTENDERS: dict[str, Callable[[Parts, int, Row], Row]] = {
    "ours": ours,
    "ours, 3 × epochs": longer,
    **{
        name: lambda parts, seed, _, rival=rival: rival(parts, seed)
        for name, rival in RIVALS.items()
    },
}
QUICK = ("ours", "MLP", "linear")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mnist", type=Path, help="an npz file with MNIST")
    parser.add_argument("--long", action="store_true", help="all sets and contenders, five seeds")
    parser.add_argument("--sets", nargs="+", help=f"of {', '.join((*BUNDLED, *FAMILIES))}, mnist_N")
    parser.add_argument("--seeds", type=int, nargs="+")
    parser.add_argument("--only", nargs="+", choices=list(CONTENDERS))
    parser.add_argument("--set", action="append", default=[], help="KEY=VALUE for our spec")
    parser.add_argument(
        "--json", type=Path, help="write the results here, and go on with what is there"
    )
    options = parser.parse_args()
    with threadpool_limits(1):
        results = measure(options)
    print("\n".join(report(results)))


def measure(options: argparse.Namespace) -> Row:
    sets = options.sets or (names(options.mnist) if options.long else list(SMALL))
    seeds = options.seeds or range(5 if options.long else 3)
    contenders = options.only or (list(CONTENDERS) if options.long else list(QUICK))
    overrides = dict(map(parse_override, options.set))
    results = _before(options.json) or {**origin(PACKAGES), "runs": []}
    done = {(row["set"], row["seed"], row["contender"]) for row in results["runs"]}
    for name in sets:
        for seed in seeds:
            parts = load(name, seed, options.mnist)
            for contender in contenders:
                if (name, seed, contender) not in done:
                    row = _timed(CONTENDERS[contender], parts, seed, overrides)
                    head = {"set": name, "seed": seed, "contender": contender}
                    _keep(results, {**head, **row}, options.json)
    return results


def _timed(contender: Callable[[Parts, int, Row], Row], *arguments: Any) -> Row:
    begun = perf_counter()
    row = contender(*arguments)
    return {**row, "seconds": round(perf_counter() - begun, 2)}


def _before(path: Path | None) -> Row | None:
    return json.loads(path.read_text()) if path is not None and path.is_file() else None


def _keep(results: Row, row: Row, path: Path | None) -> None:
    """Add a row, show it, and write what there is so far."""
    results["runs"].append(row)
    shown = f"{row['set']:16} seed {row['seed']}  {row['contender']:18} test {row['test']:.4f}"
    size = f"{row['parameters']:,} parameters" if row.get("parameters") else ""
    print(f"{shown}  {row['seconds']:>6.1f} s  {size}", flush=True)
    if path is not None:
        path.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
