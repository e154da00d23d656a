"""Does the search earn its price? Every contender trains on the NumPy backend with the same batches.

    python benchmarks/search.py --data npz:mnist.npz --long --json results/search.json

10,000 training, 2,000 validation and 10,000 test samples, SGD .005 on batches of 16, 50 epochs, from three
start topologies. Beside the default strategy: the paper's; the start topology for as many epochs, and for
the whole training budget of the default run; random edits; the final topology from scratch; Optuna (TPE,
median pruner, 1-3 layers of 4-512 units; pip install -e .[benchmarks]) stopped at the same training cost.
Then the default strategy at five prices. A few minutes: the small start and one seed. --long: small, medium
and large, three seeds. --only NAME leaves out other contenders, --only price measures the prices alone.
"""

import argparse
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from origin import origin
from search_report import report
from threadpoolctl import threadpool_limits

import nas_surgery as ns
from nas_surgery.data.dataset import Dataset, load_dataset
from nas_surgery.plugins.registry import default_registry
from nas_surgery.runs.preparation import prepare
from nas_surgery.strategies import DefaultStrategy
from nas_surgery.strategies.jobs import PASSES

STARTS = {"small": [10], "medium": [10, 10, 10], "large": [300, 100, 100]}
SEEDS = (6, 63, 97)
PRICES = (0.001, 0.003, 0.01, 0.03, 0.1)
PRICE_STARTS = ("small", "medium")
EPOCHS = 50
PACKAGES = ("nas-surgery", "numpy", "scipy", "optuna")
PLUGIN = str(Path(__file__).with_name("search_strategies.py"))

Row = dict[str, Any]


class Bench:
    """One data source, start topology and seed, with the default run that others are measured by."""

    def __init__(self, source: str, dataset: Dataset, start: str, seed: int) -> None:
        self.source, self.dataset, self.start, self.seed = source, dataset, start, seed
        self.default: Row = {}

    def spec(self, hidden: list[int], epochs: int, **search: Any) -> Row:
        large = len(self.dataset.x) >= 12_000
        limits = {"train_limit": 10_000, "validation": 2_000} if large else {}
        return {
            "seed": self.seed,
            "plugins": [PLUGIN],
            "data": {"source": self.source, "scaling": "unit", **limits},
            "network": {"hidden": hidden},
            "training": {"optimizer": "sgd", "learning_rate": 0.005, "batch_size": 16},
            "search": {"max_epochs": epochs, **search},
        }

    def run(
        self, strategy: str, hidden: list[int] | None = None, epochs: int = EPOCHS, **settings: Any
    ) -> Row:
        """One run, in figures. macs: of everything that it trained."""
        start = STARTS[self.start] if hidden is None else hidden
        spec = self.spec(start, epochs, strategy=strategy, **settings)
        result = ns.run(spec, data=self.dataset)
        found, network = result.summary, result.network
        samples = found["data"]["train"]
        return {
            "hidden": found["hidden"]["end"],
            "parameters": found["parameters"]["end"],
            "validation": found["accuracy"]["validation"],
            "test": found["accuracy"]["test"],
            "validation_loss": found["loss"]["validation"],
            "cost": found["cost"]["relative"],
            "macs": round(found["cost"]["relative"] * PASSES * network.macs * samples * epochs),
            "seconds": found["cost"]["seconds"],
        }

    def run_default(self) -> Row:
        self.default = self.run("default")
        return self.default

    def whole_budget(self) -> Row:
        """As many epochs of the start topology as the default run's training would have paid for."""
        made = self.prepared()
        epoch = PASSES * made.network.macs * len(made.splits.train)
        epochs = max(1, self.default["macs"] // epoch)
        return {**self.run("train", epochs=epochs, checkpoints=20), "epochs": epochs}

    def optuna(self) -> Row:
        from search_optuna import Trials

        return Trials(self.prepared(), self.default["macs"]).run()

    def prepared(self) -> Any:
        spec = ns.Spec.from_dict(self.spec(STARTS[self.start], EPOCHS))
        return prepare(spec, None, self.dataset)


CONTENDERS: dict[str, Callable[[Bench], Row]] = {
    "default": Bench.run_default,
    "paper": lambda bench: bench.run("paper"),
    "start": lambda bench: bench.run("train"),
    "start, whole budget": Bench.whole_budget,
    "random edits": lambda bench: bench.run("random-edits"),
    "final from scratch": lambda bench: bench.run("train", bench.default["hidden"]),
    "optuna": Bench.optuna,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="sklearn:digits", help="such as npz:mnist.npz")
    parser.add_argument("--long", action="store_true", help="all starts, three seeds")
    parser.add_argument("--starts", nargs="+", choices=STARTS)
    parser.add_argument("--seeds", type=int, nargs="+")
    parser.add_argument("--only", nargs="+", choices=[*CONTENDERS, "price"])
    parser.add_argument("--json", type=Path, help="write the results here too")
    options = parser.parse_args()
    with threadpool_limits(1):
        results = measure(options)
    print("\n".join(report(results)))


def measure(options: argparse.Namespace) -> Row:
    dataset = load_dataset(options.data, default_registry().all("datasets"))
    starts = options.starts or (list(STARTS) if options.long else ["small"])
    seeds = options.seeds or (SEEDS if options.long else SEEDS[-1:])
    wanted = options.only or [*CONTENDERS, "price"]
    results = {
        **heading(options.data),
        "starts": starts,
        "seeds": list(seeds),
        "runs": [],
        "prices": [],
    }
    for start in starts:
        for seed in seeds:
            bench = Bench(options.data, dataset, start, seed)
            for row in contest(bench, wanted):
                keep(results, "runs", {"start": start, "seed": seed, **row}, options.json)
            for row in prices(bench) if "price" in wanted and start in PRICE_STARTS else ():
                keep(results, "prices", {"start": start, "seed": seed, **row}, options.json)
    return results


def heading(source: str) -> Row:
    return {
        **origin(PACKAGES),
        "data": source.rpartition("/")[2],
        "epochs": EPOCHS,
    }


def contest(bench: Bench, wanted: list[str]) -> Iterator[Row]:
    """The contenders in turn; the default run always, as others are measured by it."""
    for name, contender in CONTENDERS.items():
        if name in wanted or (name == "default" and set(wanted) & set(CONTENDERS)):
            yield {"contender": name, **contender(bench)}


def prices(bench: Bench) -> Iterator[Row]:
    """The default strategy at each price; the default price is not run twice."""
    for price in PRICES:
        known = price == DefaultStrategy().price and bench.default
        yield {"price": price, **(bench.default if known else bench.run("default", price=price))}


def keep(results: Row, key: str, row: Row, path: Path | None) -> None:
    """Add a row, show it, and write what there is so far."""
    results[key].append(row)
    name = row.get("contender", f"price {row.get('price')}")
    print(
        f"{row['start']:6} seed {row['seed']:2}  {name:20} test {row['test']:.4f}"
        f"  {row['parameters']:>8,} parameters  {'-'.join(map(str, row['hidden']))}",
        flush=True,
    )
    if path is not None:
        path.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
