"""What a second worker process gains: whole runs with one and with two, in wall time.

    python benchmarks/workers.py --data npz:mnist.npz --json benchmarks/results/workers.json

A 300-100-100 network (10,000 training, 2,000 validation samples), in command-line runs from start to exit.
Beside each gain, the most that two workers could gain within rounds: a decision needs all jobs of its
round, so where two branches differ in size one worker waits for the other. A baseline runs beside all of them.
`--ray` also carries the runs out on a Ray cluster of two nodes with a CPU each, which stands before they begin;
the overhead is seconds of such a run ÷ seconds with two worker processes.
"""

import argparse
import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from statistics import fmean
from time import perf_counter
from typing import Any

import nas_surgery as ns
from nas_surgery.testing.runs import finish, same_results, sets

RUNS: dict[
    str, tuple[dict[str, Any], bool]
] = {  # settings of the search, and whether with a baseline
    "default": ({"strategy": "default"}, False),
    "default, and the baseline": ({"strategy": "default"}, True),
    "paper, 2 branches (as in the paper)": ({"strategy": "paper"}, False),
    "paper, 2 branches, and the baseline": ({"strategy": "paper"}, True),
    "paper, 4 branches": ({"strategy": "paper", "branches": 4}, False),
}
WORKERS = 2
IDLE = ("warnings",)  # a local run says that it has no use for `workers`
POOL = ["--set", "run.executor=processes", "--set", f"run.workers={WORKERS}"]

Row = dict[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="sklearn:digits", help="such as npz:mnist.npz")
    parser.add_argument("--epochs", type=int, default=50)
    parser.add_argument("--runs", nargs="+", choices=RUNS, default=list(RUNS), metavar="RUN")
    parser.add_argument("--ray", action="store_true")
    parser.add_argument("--seeds", type=int, nargs="+", default=[6, 63, 97])
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    finish(["plugins"])  # whatever is slow only once
    with ray_cluster(options.ray) as pools:
        rows = [
            measure(options, pools, name, seed) for name in options.runs for seed in options.seeds
        ]
    print("\n".join(table(rows)))
    if options.json:
        results = {"date": date.today().isoformat(), "nas-surgery": ns.__version__, "runs": rows}
        options.json.write_text(json.dumps(results, indent=1) + "\n")


@contextmanager
def ray_cluster(wanted: bool) -> Iterator[dict[str, list[str]]]:
    """Options of the command line for each way to have two workers; with Ray, the cluster stands meanwhile."""
    if not wanted:
        yield {"two": POOL}
        return
    from ray.cluster_utils import Cluster

    import nas_surgery_ray.cluster  # noqa: F401 (before Ray: no reports of its usage are sent)

    cluster = Cluster()
    for _ in range(WORKERS):
        cluster.add_node(num_cpus=1, object_store_memory=200 * 2**20, include_dashboard=False)
    ray = ["run.executor=ray", f"run.workers={WORKERS}", f'run.ray.address="{cluster.address}"']
    try:
        yield {"two": POOL, "ray": sets(ray)}
    finally:
        cluster.shutdown()


def measure(options: argparse.Namespace, pools: dict[str, list[str]], name: str, seed: int) -> Row:
    """The same run with one worker and with two, one way after the other."""
    with tempfile.TemporaryDirectory() as folder:
        spec, one = Path(folder) / "spec.toml", Path(folder) / "one"
        spec.write_text(ns.Spec.from_dict(content(options, name, seed)).to_toml())
        local = seconds(["run", str(spec), "--out", str(one)])
        parallel = {
            way: seconds(["run", str(spec), "--out", str(Path(folder) / way), *pool])
            for way, pool in pools.items()
        }
        return {
            "run": name,
            "seed": seed,
            "one": local,
            **parallel,
            "most": most(one),
            "equal": all(same_results(one, Path(folder) / way, IDLE) for way in pools),
        }


def content(options: argparse.Namespace, name: str, seed: int) -> Row:
    settings, baseline = RUNS[name]
    limits = {"train_limit": 10000, "validation": 2000} if options.data.startswith("npz") else {}
    return {
        "seed": seed,
        "data": {"source": str(options.data), "scaling": "unit", **limits},
        "network": {"hidden": [300, 100, 100]},
        "training": {"optimizer": "sgd", "learning_rate": 0.005, "batch_size": 16},
        "search": {"max_epochs": options.epochs, **settings},
        "run": {"baseline": baseline},
    }


def seconds(arguments: list[str]) -> float:
    begun = perf_counter()
    done = finish(arguments)
    assert done.code == 0, done.error
    return perf_counter() - begun


def most(directory: Path) -> float:
    """The gain if workers cost nothing: time of all jobs ÷ time of the busiest worker in each round, or
    ÷ an equal share, if that is more."""
    total = busiest = 0.0
    for jobs in rounds(directory):
        loads = [0.0] * WORKERS
        for job in sorted(jobs, reverse=True):
            loads[loads.index(min(loads))] += job
        total, busiest = total + sum(jobs), busiest + max(loads)
    beside = baseline_seconds(directory)
    return (total + beside) / max(busiest, (total + beside) / WORKERS)


def rounds(directory: Path) -> list[list[float]]:
    """Seconds of the jobs of each round."""
    found: list[list[float]] = []
    for event in events(directory):
        if event["kind"] == "decision":
            found.append([])
        elif event["kind"] == "job_finished" and event["purpose"] != "baseline":
            found[-1].append(sum(event["seconds"].values()))
    return found


def baseline_seconds(directory: Path) -> float:
    """Seconds of the baseline, 0 without one."""
    jobs = [event for event in events(directory) if event.get("purpose") == "baseline"]
    return sum(sum(job["seconds"].values()) for job in jobs if job["kind"] == "job_finished")


def events(directory: Path) -> Iterator[Row]:
    """What the run told, in order."""
    return map(json.loads, (directory / "events.jsonl").open())


def table(rows: list[Row]) -> list[str]:
    """Means over seeds, and the range of the gain."""
    lines = [
        "| run | one worker, s | two, s | gain | at most | equal | ray ÷ processes |",
        "|---|---|---|---|---|---|---|",
    ]
    for name in dict.fromkeys(row["run"] for row in rows):
        same = [row for row in rows if row["run"] == name]
        overheads = [row["ray"] / row["two"] for row in same if "ray" in row]
        gains = [row["one"] / row["two"] for row in same]
        cells = [
            name,
            f"{fmean(row['one'] for row in same):.1f}",
            f"{fmean(row['two'] for row in same):.1f}",
            spread(gains),
            f"{fmean(row['most'] for row in same):.2f}",
            "yes" if all(row["equal"] for row in same) else "NO",
            spread(overheads) if overheads else "",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def spread(values: list[float]) -> str:
    """Mean and range."""
    return f"{fmean(values):.2f} ({min(values):.2f} to {max(values):.2f})"


if __name__ == "__main__":
    main()
