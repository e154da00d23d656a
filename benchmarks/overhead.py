"""What surrounds the training costs: surgery, analysis, journal, the record per epoch; how analysis and memory grow.

    python benchmarks/overhead.py --data npz:mnist.npz --json overhead.json

Runs strategy `paper` on 10,000 training and 2,000 validation samples (50 epochs) in a run directory and
prints the share of its wall time that surgery, analysis with proposals, and keeping the journal and
the weights take; and the time to resume it. Then the share that the record per epoch takes, of runs with
each backend and strategy, on these data and on digits: looks at validation samples, figures, events. It is of
processor time, which other work on the machine changes little.
Then the time to analyse a layer from 256 × 256 to 4096 × 4096, and the memory that 100 candidates of
one large network take.
"""

import argparse
import json
import platform
import tempfile
import tracemalloc
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from importlib.metadata import version
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import nas_surgery as ns
from nas_surgery.analysis.spectra import analyse
from nas_surgery.network import Network
from nas_surgery.runs.event_log import EventLog
from nas_surgery.search import workbench
from nas_surgery.search.journal import Journal
from nas_surgery.search.recording import Recorder
from nas_surgery.search.states import StateStore
from nas_surgery.testing.runs import finish

STARTS = ([10, 10, 10], [300, 100, 100])
RECORDED = {"default": 50, "paper": 20}  # epochs of the runs whose record is measured
DIGITS = "sklearn:digits"
WIDTHS = (256, 512, 1024, 2048, 4096)
CANDIDATES = 100

Clock = Callable[[], float]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default=DIGITS, help="data source, such as npz:mnist.npz")
    parser.add_argument("--epochs", type=int, default=50)
    parser.add_argument("--json", type=Path)
    parser.add_argument(
        "--record", action="store_true", help="the record alone; the rest of --json stays as it is"
    )
    options = parser.parse_args()
    if options.record:
        before = json.loads(options.json.read_text()) if options.json else {}
        write(options, {**before, "record": measure_records(options)})
        return
    results: dict[str, Any] = {
        "date": date.today().isoformat(),
        "versions": {"nas-surgery": ns.__version__, "numpy": version("numpy")},
        "machine": f"{platform.machine()}, {platform.system()}",
        "runs": [measure_run(options, hidden) for hidden in STARTS],
        "record": measure_records(options),
        "analysis": measure_analysis(),
        "memory": measure_memory(),
    }
    print_results(results)
    write(options, results)


def write(options: argparse.Namespace, results: dict[str, Any]) -> None:
    if options.json:
        options.json.write_text(json.dumps(results, indent=2) + "\n")


def present() -> list[str]:
    """The backends that are installed, of those that are kept here."""
    return [name for name in ("numpy", "torch", "tensorflow") if name in ns.backends()]


def measure_run(options: argparse.Namespace, hidden: list[int]) -> dict[str, Any]:
    """One run with timers around everything that is not training."""
    spec = make_spec(options.data, options.epochs, hidden)
    with tempfile.TemporaryDirectory() as folder, spending(PLACES) as spent:
        begun = perf_counter()
        result = ns.run(spec, out=Path(folder) / "run")
        total = perf_counter() - begun
        jobs = [
            event["seconds"]
            for event in map(json.loads, (Path(folder) / "run" / "events.jsonl").open())
            if event["kind"] == "job_finished"
        ]
    surgery = sum(job.get("surgery", 0) + job.get("analysis", 0) for job in jobs)
    return {
        "hidden": hidden,
        "seconds": total,
        "jobs": len(jobs),
        "surgery and analysis": surgery / total,
        "journal and weights": sum(spent.values()) / total,
        "accuracy": result.summary["accuracy"],
        "resume seconds": measure_resume(options, hidden),
    }


def measure_records(options: argparse.Namespace) -> dict[str, Any]:
    """The share of a run's processor time that the record per epoch takes, with each backend."""
    versions: dict[str, str] = {}
    rows = []
    for backend in present():
        versions |= ns.backend(backend).versions()
        for source in dict.fromkeys([options.data, DIGITS]):
            for strategy, epochs in RECORDED.items():
                for hidden in STARTS:
                    spec = make_spec(source, epochs, hidden, strategy, backend)
                    rows.append(measure_record(spec))
                    print_record(rows[-1])
    return {"date": date.today().isoformat(), "versions": versions, "runs": rows}


def measure_record(spec: dict[str, Any]) -> dict[str, Any]:
    """One run in a run directory; its looks, and the ends of jobs that need none."""
    places = [(Recorder, "__call__"), (Recorder, "curve")]
    with tempfile.TemporaryDirectory() as folder, spending(places, process_time) as spent:
        begun = process_time()
        result = ns.run(spec, out=Path(folder) / "run")
        total = process_time() - begun
    return {
        "backend": spec["training"]["backend"],
        "data": spec["data"]["source"].split("/")[-1],
        "strategy": spec["search"]["strategy"],
        "hidden": spec["network"]["hidden"],
        "seconds": total,
        "epochs": sum(len(record.get("curve", ())) for record in result.history),
        "share": sum(spent.values()) / total,
    }


def make_spec(
    source: str, epochs: int, hidden: list[int], strategy: str = "paper", backend: str = "numpy"
) -> dict[str, Any]:
    limits = {"train_limit": 10000, "validation": 2000} if source.startswith("npz") else {}
    return {
        "data": {"source": source, **limits},
        "network": {"hidden": hidden},
        "training": {
            "backend": backend,
            **({"learning_rate": 0.005} if strategy == "paper" else {}),
        },
        "search": {"strategy": strategy, "max_epochs": epochs},
    }


PLACES = [
    (Journal, "write"),
    (Journal, "sync"),
    (StateStore, "put"),
    (StateStore, "keep"),
    (EventLog, "__call__"),
    (workbench, "state_to_bytes"),
    (workbench, "digest"),
]


@contextmanager
def spending(
    places: list[tuple[Any, str]], clock: Clock = perf_counter
) -> Iterator[dict[str, float]]:
    """Seconds spent in functions, named by their owners, while entered."""
    spent: dict[str, float] = defaultdict(float)
    before = [(owner, name, getattr(owner, name)) for owner, name in places]
    for owner, name, function in before:
        setattr(owner, name, timed(function, spent, name, clock))
    try:
        yield spent
    finally:
        for owner, name, function in before:
            setattr(owner, name, function)


def timed(
    function: Callable[..., Any], spent: dict[str, float], name: str, clock: Clock
) -> Callable[..., Any]:
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        begun = clock()
        try:
            return function(*args, **kwargs)
        finally:
            spent[name] += clock() - begun

    return wrapper


def measure_resume(options: argparse.Namespace, hidden: list[int]) -> float:
    """Seconds to resume a finished run: all replay, no new work."""
    with tempfile.TemporaryDirectory() as folder:
        spec, directory = Path(folder) / "spec.toml", str(Path(folder) / "run")
        made = make_spec(options.data, options.epochs, hidden)
        spec.write_text(ns.Spec.from_dict(made).to_toml())
        timed_run(["run", str(spec), "--out", directory])
        return timed_run(["resume", directory])


def timed_run(arguments: list[str]) -> float:
    begun = perf_counter()
    done = finish(arguments)
    assert done.code == 0, done.error
    return perf_counter() - begun


def measure_analysis() -> list[dict[str, float]]:
    """Seconds for the spectrum of a square layer."""
    rows = []
    for width in WIDTHS:
        network = Network.dense(width, (width,), 10)
        begun = perf_counter()
        analyse(network)
        rows.append({"width": width, "seconds": perf_counter() - begun})
    return rows


def measure_memory() -> dict[str, float]:
    """MiB that candidates of one large network take, beside the network itself."""
    network = Network.dense(2048, (2048,) * 8, 10)
    size = network.parameter_count * network.dtype.itemsize
    last = network.groups()[-1].writers[0]
    tracemalloc.start()
    candidates = [
        ns.operation("add_neurons", layer=last, count=2)(network, seed=seed)
        for seed in range(CANDIDATES)
    ]
    held, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(candidates) == CANDIDATES
    return {
        "candidates": CANDIDATES,
        "network MiB": size / 2**20,
        "held MiB": held / 2**20,
        "copies would hold MiB": CANDIDATES * size / 2**20,
        "peak MiB": peak / 2**20,
    }


def print_record(row: dict[str, Any]) -> None:
    hidden = "-".join(map(str, row["hidden"]))
    place = ", ".join([row["backend"], row["data"], row["strategy"], hidden])
    share = f"{row['share']:.2%} of {row['seconds']:.1f} s"
    print(f"record of {row['epochs']} epochs ({place}): {share}", flush=True)


def print_results(results: dict[str, Any]) -> None:
    for row in results["runs"]:
        print("-".join(map(str, row["hidden"])), f"{row['seconds']:.1f} s, {row['jobs']} jobs")
        for name in ("surgery and analysis", "journal and weights"):
            print(f"  {name}: {row[name]:.2%} of the run")
        print(f"  resume of the finished run: {row['resume seconds']:.2f} s")
    for row in results["record"]:
        place = f"{row['backend']}, {row['data']}, {row['strategy']}, {'-'.join(map(str, row['hidden']))}"
        print(
            f"record of {row['epochs']} epochs ({place}): {row['share']:.2%} of {row['seconds']:.1f} s"
        )
    for row in results["analysis"]:
        print(f"analysis of a {row['width']} × {row['width']} layer: {row['seconds']:.3f} s")
    memory = results["memory"]
    print(
        f"{memory['candidates']} candidates of a network of {memory['network MiB']:.0f} MiB hold"
        f" {memory['held MiB']:.0f} MiB (copies: {memory['copies would hold MiB']:.0f} MiB)"
    )


if __name__ == "__main__":
    main()
