"""How good is one surgery? Removal and growth, method beside method, on the same trained networks.

    python benchmarks/operators.py --data npz:mnist.npz --json results/operators.json

Removal: a 300-100-100 network is trained; units of its first layer go, whole layers go, the first layer
is factored; test accuracy lost at once and behind some batches of retraining. Torch-Pruning takes part
if it is installed (pip install -e .[benchmarks]; needs torch). Growth: 10 and 10-10-10 networks train ten
epochs, every hidden layer is widened ×2 and ×4, and twenty more follow; beside them no growth, and that
size from scratch for thirty. SGD .005 on batches of 16, the same batches for all. A few minutes;
--long trains and retrains longer and takes more seeds.
"""

import argparse
import json
from pathlib import Path
from typing import Any

from operator_damage import measure_removal
from operator_growth import measure_growth
from operator_setting import Setting
from origin import origin
from threadpoolctl import threadpool_limits

SEEDS, LONG_SEEDS = (6, 63, 97), (6, 63, 72, 77, 97)
PACKAGES = ("nas-surgery", "numpy", "scipy", "torch", "torch-pruning")

TORCH_PRUNING_ABSENT = "Torch-Pruning is not installed and took no part."


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="sklearn:digits", help="such as npz:mnist.npz")
    parser.add_argument("--long", action="store_true", help="train longer, more seeds")
    parser.add_argument("--seeds", type=int, nargs="+")
    parser.add_argument("--json", type=Path, help="write the results here too")
    options = parser.parse_args()
    with threadpool_limits(1):
        results = measure(options)
    print("\n".join(report(results)))
    if options.json:
        options.json.write_text(json.dumps(results, indent=1) + "\n")


def measure(options: argparse.Namespace) -> dict[str, Any]:
    setting = Setting(options.data)
    seeds = options.seeds or (LONG_SEEDS if options.long else SEEDS)
    retraining = (0, 25, 250, 2500) if options.long else (0, 25, 250)
    epochs = 50 if options.long else 20
    return {
        **origin(PACKAGES),
        "data": {"source": options.data.rpartition("/")[2], "train": len(setting.splits.train)},
        "seeds": list(seeds),
        "removal": measure_removal(setting, epochs, seeds, retraining),
        "growth": measure_growth(setting, 10, 50 if options.long else 20, seeds),
    }


def report(results: dict[str, Any]) -> list[str]:
    """Two tables in Markdown."""
    removal, growth = results["removal"], results["growth"]
    return [
        f"{results['data']['source']}, {results['data']['train']:,} training samples,"
        f" seeds {', '.join(map(str, results['seeds']))}, {results['date']};"
        f" {', '.join(f'{k} {v}' for k, v in results['versions'].items())}",
        "",
        *_removal_table(removal),
        *(
            ["", TORCH_PRUNING_ABSENT]
            if "installed" in results["versions"]["torch-pruning"]
            else []
        ),
        "",
        *_growth_table(growth),
    ]


def _removal_table(removal: dict[str, Any]) -> list[str]:
    batches = removal["retraining_batches"]
    hidden = "-".join(map(str, removal["hidden"]))
    lines = [
        f"{hidden} after {removal['epochs']} epochs: {_spread(removal['accuracy'])} % test accuracy,"
        f" {removal['parameters']:,} parameters. Points lost (mean ± std) after so many batches:",
        "",
        "| removed | method | parameters | "
        + " | ".join(str(count) for count in batches)
        + " | change of outputs: predicted | measured |",
        "|---|---|---|" + "---|" * (len(batches) + 2),
    ]
    for case in removal["cases"]:
        lost = [_spread(case["points_lost"][str(count)]) for count in batches]
        predicted = case["change_predicted"]
        shown = "–" if predicted is None else f"{predicted['mean']:.3f}"
        cells = [case["what"], case["method"], f"{case['parameters']:,}", *lost, shown]
        lines.append(f"| {' | '.join(cells)} | {case['change_measured']['mean']:.3f} |")
    return lines


def _growth_table(growth: list[dict[str, Any]]) -> list[str]:
    lines = [
        "Test accuracy (mean ± std) and mean rank of the widened layers at the end:",
        "",
        "| start | × | method | parameters | accuracy | ranks |",
        "|---|---|---|---|---|---|",
    ]
    for row in growth:
        means = [sum(column) / len(column) for column in zip(*row["ranks"], strict=True)]
        ranks = ", ".join(f"{mean:.3g}" for mean in means)
        lines.append(
            f"| {row['start']} | {row['factor']} | {row['method']} | {row['parameters']:,}"
            f" | {_spread(row['accuracy'])} | {ranks} |"
        )
    return lines


def _spread(values: dict[str, Any]) -> str:
    return f"{values['mean']:.2f} ± {values['std']:.2f}"


if __name__ == "__main__":
    main()
