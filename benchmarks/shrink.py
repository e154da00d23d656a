"""Half of the multiply-accumulates of trained networks, at once and behind an epoch of training.

    python benchmarks/shrink.py --data mnist.npz --cache models --json benchmarks/results/shrink.json

Networks of `shrink_nets.py` on MNIST, by 640 samples that the networks were trained on; test accuracy.
Greedy allocation against equal shares, beside Torch-Pruning at the same multiply-accumulates, as it comes
and with BatchNorm measured again. What is in the JSON file already is not measured again.
"""

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from origin import origin
from shrink_nets import MODELS, Part, accuracy, epoch, parts, sample, trained
from shrink_pruning import pruned, reestimated

from nas_surgery.shrinking.choosing import Search
from nas_surgery.shrinking.models import Model, opened
from nas_surgery.shrinking.retraining import Retraining
from nas_surgery.shrinking.shrink import shrinking
from nas_surgery.shrinking.shrunk import Shrinking, Wishes

COUNT = 640  # calibration samples
SHARE = 0.5  # of the multiply-accumulates
UNITS = (0.5, 0.6, 0.7, 0.8)  # of LeNet-300-100 that go
RATE = 1e-3  # of Adam behind Torch-Pruning

Row = dict[str, Any]
Measure = Callable[[], float]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="mnist.npz")
    parser.add_argument("--cache", type=Path, required=True, help="where trained models are kept")
    parser.add_argument("--models", nargs="+", default=list(MODELS), choices=list(MODELS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--retrain", action="store_true", help="also behind an epoch")
    parser.add_argument("--json", type=Path, required=True)
    options = parser.parse_args()
    torch.set_num_threads(1)
    train, test = parts(options.data)
    results = Results.of(options.json)
    for name in options.models:
        for seed in options.seeds:
            mine = sample(train, seed)
            bench = Bench(name, seed, trained(name, seed, mine, options.cache), mine, test, results)
            bench.units() if name.startswith("LeNet") else bench.half(options.retrain)
    print(results.table())


class Results:
    """Test accuracies by model, seed and contender, kept in a file."""

    def __init__(self, file: Path, rows: list[Row]) -> None:
        self.file, self.rows = file, rows

    @classmethod
    def of(cls, file: Path) -> "Results":
        return cls(file, json.loads(file.read_text())["rows"] if file.exists() else [])

    def note(self, model: str, seed: int, contender: str, measure: Measure) -> None:
        """Measure what is not known, and write it down."""
        key = {"model": model, "seed": seed, "contender": contender}
        if any(key.items() <= row.items() for row in self.rows):
            return
        self.rows.append({**key, "accuracy": round(measure(), 2)})
        print(self.rows[-1], flush=True)
        packages = ("nas-surgery", "numpy", "torch", "torch-pruning", "onnxruntime")
        content = {**origin(packages), "samples": COUNT, "share": SHARE, "rows": self.rows}
        self.file.write_text(json.dumps(content, indent=1) + "\n")

    def table(self) -> str:
        """Points lost by each contender, one seed after the other."""
        lines = ["| model | contender | points lost, by seed |", "|---|---|---|"]
        whole = {
            (r["model"], r["seed"]): r["accuracy"]
            for r in self.rows
            if r["contender"] == "original"
        }
        for key in dict.fromkeys((r["model"], r["contender"]) for r in self.rows):
            mine = sorted((r["seed"], r) for r in self.rows if (r["model"], r["contender"]) == key)
            lost = (f"{whole[key[0], seed] - row['accuracy']:.2f}" for seed, row in mine)
            lines.append(f"| {key[0]} | {key[1]} | {', '.join(lost)} |")
        return "\n".join(lines)


class Bench:
    """One trained model."""

    def __init__(
        self,
        name: str,
        seed: int,
        model: torch.nn.Module,
        train: Part,
        test: Part,
        results: Results,
    ) -> None:
        self.name, self.seed, self.model = name, seed, model
        self.train, self.test, self.results = train, test, results

    def note(self, contender: str, measure: Measure) -> None:
        self.results.note(self.name, self.seed, contender, measure)

    def work(self, held: Model, samples: int, retraining: Retraining | None = None) -> Shrinking:
        x, y = (part[:samples].numpy() for part in self.train)
        data = x if retraining is None else (x, y)
        return shrinking(held, data, Wishes(seed=self.seed, retraining=retraining))

    def half(self, retrain: bool) -> None:
        """Half of the multiply-accumulates."""
        held = opened(self.model, self.train[0][:2])
        self.note("original", lambda: accuracy(self.model, self.test))
        work = self.work(held, COUNT)
        search: Search = work.search()
        limit = SHARE * held.network.macs
        offers = search.plan.sizes("macs", limit)
        smaller = {}
        for contender, sizes in zip(
            ("greedy", "equal shares"), (offers[0], offers[-1]), strict=True
        ):
            smaller[contender] = search.candidate(sizes).network
            model = held.closed(smaller[contender], None)
            self.note(contender, lambda model=model: accuracy(model, self.test))
        for kind in ("magnitude", "Taylor"):
            self.rival(kind, limit / held.network.macs, retrain)
        if retrain:
            self.retrained(held, smaller["greedy"])

    def rival(self, kind: str, share: float, retrain: bool) -> None:
        """Torch-Pruning, as it comes, with BatchNorm measured again, and behind an epoch."""
        x, y = (part[:COUNT] for part in self.train)
        model = pruned(self.model, kind, share, x, y)
        self.note(f"Torch-Pruning {kind}", lambda: accuracy(model, self.test))
        reestimated(model, x)
        self.note(f"Torch-Pruning {kind}, BatchNorm again", lambda: accuracy(model, self.test))
        if retrain:
            epoch(model, self.train, torch.optim.Adam(model.parameters(), RATE))
            self.note(f"Torch-Pruning {kind}, an epoch", lambda: accuracy(model, self.test))

    def retrained(self, held: Model, network: Any) -> None:
        """The greedy one behind an epoch of ours."""
        work = self.work(held, len(self.train[0]), Retraining(1.0, "torch"))
        model = held.closed(work.retrained(network), None)
        self.note("greedy, an epoch", lambda: accuracy(model, self.test))

    def units(self) -> None:
        """The same share of the units of both hidden layers."""
        held = opened(self.model, self.train[0][:2])
        self.note("original", lambda: accuracy(self.model, self.test))
        search: Search = self.work(held, len(self.train[0])).search()
        for share in UNITS:
            network = search.candidate((search.whole * (1 - share)).round()).network
            model = held.closed(network, None)
            self.note(f"-{share:.0%} of units", lambda model=model: accuracy(model, self.test))


if __name__ == "__main__":
    main()
