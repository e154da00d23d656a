"""Our estimators against scikit-learn's MLP, all as they are, by cross_val_score.

    python benchmarks/estimators.py --json benchmarks/results/estimators.json

breast_cancer, wine and diabetes, five shuffled folds for each of five seeds, with a StandardScaler before the estimator
and without. On diabetes also the MLP with standardised targets, as it has no scaling of its own and ours has. One
thread. Goes on with what the file holds.
"""

import argparse
import json
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from time import perf_counter
from typing import Any

from defaults_report import gain, spread
from origin import origin
from sklearn import datasets
from sklearn.compose import TransformedTargetRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import KFold, StratifiedKFold, cross_val_score
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from nas_surgery.sklearn import SurgeryClassifier, SurgeryRegressor

PACKAGES = ("nas-surgery", "numpy", "scipy", "scikit-learn")
SETS = ("breast_cancer", "wine", "diabetes")
SCALERS = {"StandardScaler": True, "none": False}
FOLDS = 5
OURS = "ours"
Row = dict[str, Any]

CLASSIFIERS: dict[str, Callable[[int], Any]] = {
    OURS: lambda seed: SurgeryClassifier(random_state=seed),
    "MLPClassifier": lambda seed: MLPClassifier(random_state=seed),
}
REGRESSORS: dict[str, Callable[[int], Any]] = {
    OURS: lambda seed: SurgeryRegressor(random_state=seed),
    "MLPRegressor": lambda seed: MLPRegressor(random_state=seed),
    "MLPRegressor, standardised targets": lambda seed: TransformedTargetRegressor(
        MLPRegressor(random_state=seed), transformer=StandardScaler()
    ),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", nargs="+", default=list(SETS), choices=SETS)
    parser.add_argument("--seeds", type=int, nargs="+", default=list(range(5)))
    parser.add_argument("--folds", type=int, default=FOLDS)
    parser.add_argument("--json", type=Path, help="write the results here, and go on with them")
    options = parser.parse_args()
    with threadpool_limits(1):
        results = measure(options)
    print("\n".join(report(results["runs"])))


def measure(options: argparse.Namespace) -> Row:
    file = options.json
    there = file is not None and file.is_file()
    results = json.loads(file.read_text()) if there else {**origin(PACKAGES), "runs": []}
    done = [_key(row) for row in results["runs"]]
    for case in _cases(options):
        if _key(case) not in done:
            results["runs"].append({**case, **_measured(case)})
            print(results["runs"][-1], flush=True)
            if file is not None:
                file.write_text(json.dumps(results, indent=1) + "\n")
    return results


def _cases(options: argparse.Namespace) -> Iterator[Row]:
    """What is measured, seed by seed."""
    for seed in options.seeds:
        for name in options.sets:
            for scaler in SCALERS:
                for contender in REGRESSORS if name == "diabetes" else CLASSIFIERS:
                    head = {"set": name, "scaler": scaler, "contender": contender}
                    yield {**head, "seed": seed, "folds": options.folds}


def _key(row: Row) -> tuple[Any, ...]:
    return tuple(row[name] for name in ("set", "scaler", "contender", "seed", "folds"))


def _measured(case: Row) -> Row:
    """The score of each fold, accuracy or R², and their mean."""
    x, y = getattr(datasets, f"load_{case['set']}")(return_X_y=True)
    regression, seed = case["set"] == "diabetes", case["seed"]
    estimator = (REGRESSORS if regression else CLASSIFIERS)[case["contender"]](seed)
    model = make_pipeline(StandardScaler(), estimator) if SCALERS[case["scaler"]] else estimator
    split = KFold if regression else StratifiedKFold
    folds = split(case["folds"], shuffle=True, random_state=seed)
    begun = perf_counter()
    with warnings.catch_warnings():  # that 200 epochs were not enough is what its defaults give
        warnings.simplefilter("ignore", ConvergenceWarning)
        scores = cross_val_score(model, x, y, cv=folds, error_score="raise")
    seconds = round(perf_counter() - begun, 2)
    return {"scores": scores.tolist(), "score": float(scores.mean()), "seconds": seconds}


def report(runs: list[Row]) -> Iterator[str]:
    """One line for each set, scaler and contender; differences are paired by seed."""
    yield "| set | scaler | contender | score, % (R² × 100) | ours ahead by | seconds |"
    yield "|---|---|---|---|---|---|"
    for name, scaler in dict.fromkeys((row["set"], row["scaler"]) for row in runs):
        rows = [row for row in runs if (row["set"], row["scaler"]) == (name, scaler)]
        own = {row["seed"]: row["score"] for row in rows if row["contender"] == OURS}
        for contender in dict.fromkeys(row["contender"] for row in rows):
            of = [row for row in rows if row["contender"] == contender]
            gains = [100 * (own[row["seed"]] - row["score"]) for row in of if row["seed"] in own]
            ahead = "" if contender == OURS else gain(gains)
            scores = spread([100 * row["score"] for row in of])
            seconds = sum(row["seconds"] for row in of) / len(of)
            shown = f"**{contender}**" if contender == OURS else contender
            yield f"| {name} | {scaler} | {shown} | {scores} | {ahead} | {seconds:.1f} |"


if __name__ == "__main__":
    main()
