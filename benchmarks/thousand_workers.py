"""How many workers one driver can feed: a search whose jobs are carried out by 1,000 fakes, in no time.

    python benchmarks/thousand_workers.py --json benchmarks/results/thousand_workers.json

Everything but the training is real: driver, journal, event log, weights on disk, and how outcomes travel.
Each round asks for one job of every worker. The driver's processor time for an outcome (without waiting for the
disk) says how long jobs must be, so that no worker waits for it. With `--ray` the same outcomes come through
Ray from a few workers on this machine; the time is still the driver's, now with what Ray does in it.
"""

import argparse
import json
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from time import process_time
from typing import Any

import attrs
import numpy as np
from origin import origin

import nas_surgery as ns
from nas_surgery.executors import NOBODY, ExecutorSettings, Listener, States, Work
from nas_surgery.executors.travel import arrived, carry_out
from nas_surgery.network import Network
from nas_surgery.operations import AddNeurons
from nas_surgery.runs.directory import RunDirectory
from nas_surgery.runs.engine import engine
from nas_surgery.runs.header import write_header
from nas_surgery.runs.preparation import Preparation, prepare
from nas_surgery.search.audience import Audience
from nas_surgery.strategies import Cost, Job, Outcome, Round, Strategy
from nas_surgery.strategies.topology import describe_topology, skeleton
from nas_surgery.training.state import Slots, TrainState
from nas_surgery.training.state_bytes import digest, state_from_bytes, state_to_bytes

NETWORKS = {"10": (10,), "300-100-100": (300, 100, 100)}
ADAM = ("first", "second")
KINDS = 8  # of weights, which come in turns
RAY_JOBS = 300


@attrs.frozen
class Wide(Strategy):
    """Every round the best goes on, and as many candidates as there are workers are made from it."""

    width: int = 1000
    rounds: int = 5
    steps: int = 1

    def search(self, setting: Any) -> Iterator[Round]:
        best, number = None, 0
        for _ in range(self.rounds):
            ids = range(number, number + self.width)
            jobs = tuple(Job(i, best, (AddNeurons(1, 2),), self.steps, "candidate") for i in ids)
            live = () if best is None else (best,)
            outcomes = yield Round(jobs, live, best, {"selected": list(live)})
            best, number = min(outcomes, key=lambda outcome: outcome.loss).job, number + self.width
        return best


@attrs.frozen(eq=False)
class FakeBench:
    """Answers with weights that it has; also the plan of itself, so that it travels."""

    weights: tuple[bytes, ...]
    operations: dict[str, Any]
    device: str = "cpu"
    threads: int = 1

    def bench(self) -> "FakeBench":
        return self

    def perform(self, job: Job, parent: TrainState | None) -> Outcome:
        content = self.weights[job.id % len(self.weights)]
        state = state_from_bytes(content)
        return Outcome(
            job.id,
            accuracy=0.9,
            loss=1 / (job.id + 1),
            training_loss=0.5,
            state=state,
            topology=skeleton(describe_topology(state.network)),
            position=state.step,
            digest=digest(content),
            exactness=("proved",),
            origins=(0, None, 2),
            cost=Cost(1000, 10**9, 100, 10**8),
        )


@attrs.frozen
class Fakes(ExecutorSettings):
    """Workers that have done everything before it is asked for."""

    bench: FakeBench

    def open(self, work: Work) -> "FakeExecutor":
        return FakeExecutor(self.bench)


class FakeExecutor:
    """What each kind of worker found is known before, so that only what the driver does takes time."""

    def __init__(self, bench: FakeBench) -> None:
        self.bench = bench
        kinds = (Job(kind, None).to_json() for kind in range(KINDS))
        self.found = [carry_out(bench, job, None) for job in kinds]

    def run(
        self, jobs: Sequence[Job], states: States, listener: Listener = NOBODY
    ) -> Iterator[Outcome]:
        for job in jobs:
            listener.started(job)
            record, seconds, weights = self.found[job.id % KINDS]
            record = {**record, "job": job.id, "loss": 1 / (job.id + 1)}
            yield arrived((record, seconds, weights), self.bench.operations)

    def begin(self, job: Job) -> None:
        """There is no baseline."""

    def close(self) -> None:
        """Nothing is held."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workers", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--ray", type=int, metavar="WORKERS", help="also through Ray")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    rows = [measure(name, options, long=long) for name in NETWORKS for long in (False, True)]
    if options.ray:
        rows += [measure(name, options, long=False, through_ray=True) for name in NETWORKS]
    print("\n".join(table(rows)))
    if options.json:
        packages = ("nas-surgery", "numpy", *(["ray"] if options.ray else []))
        results = {**origin(packages), "workers": options.workers, "rows": rows}
        options.json.write_text(json.dumps(results, indent=1) + "\n")


def measure(
    name: str, options: argparse.Namespace, long: bool, through_ray: bool = False
) -> dict[str, Any]:
    """One search; long: jobs of an epoch, whose weights are written at once."""
    weights = tuple(state_to_bytes(state(NETWORKS[name], kind)) for kind in range(KINDS))
    made = preparation(name, options, long)
    bench = FakeBench(weights, made.operations)
    executor = RayFakes(bench, options.ray) if through_ray else Fakes(bench)
    made = attrs.evolve(made, executor=executor)
    if through_ray:  # whose workers are few, and real
        made = attrs.evolve(made, strategy=Wide(RAY_JOBS, 1))
    with tempfile.TemporaryDirectory() as folder:
        directory = RunDirectory(Path(folder) / "run")
        seconds = searched(made, directory)
        sizes = [file.stat().st_size for file in (directory.journal, directory.events)]
    jobs = made.strategy.width * made.strategy.rounds
    each = seconds / jobs
    return {
        "network": name,
        "jobs": "an epoch" if long else "short",
        "by": f"ray, {options.ray} workers" if through_ray else "fakes",
        "state bytes": len(weights[0]),
        "outcomes a second": 1 / each,
        "decisions a second": 1 / each / options.workers,
        "journal bytes a second": sizes[0] / jobs / each,
        "event bytes a second": sizes[1] / jobs / each,
        "weight bytes a second": len(weights[0]) / each,
        "least seconds of a job": each * options.workers,
    }


def preparation(name: str, options: argparse.Namespace, long: bool) -> Preparation:
    search = {"strategy": "paper", "max_epochs": 1000, "operations": ["identity", "add_neurons"]}
    spec = {
        "data": {"source": "sklearn:digits"},
        "network": {"hidden": list(NETWORKS[name])},
        "search": search,
    }
    made = prepare(ns.Spec.from_dict(spec))
    steps = made.steps_per_epoch if long else 1
    return attrs.evolve(made, strategy=Wide(options.workers, options.rounds, steps))


def state(hidden: tuple[int, ...], seed: int) -> TrainState:
    """A network of 784 inputs behind an epoch of Adam."""
    network = Network.dense(784, hidden, 10, seed=seed)
    arrays = network.parameters()
    slots = {slot: {k: np.full_like(v, seed) for k, v in arrays.items()} for slot in ADAM}
    return TrainState(network, Slots(slots, 100), 100)


def searched(made: Preparation, directory: RunDirectory) -> float:
    """Processor seconds of the driver in the search."""
    audience = Audience((), made.registry)
    with (
        directory.begin(made.spec, made.network, made.encoding),
        engine(made, directory, audience) as driver,
    ):
        write_header(driver, made, directory, False)
        begun = process_time()
        driver.search()
        return process_time() - begun


@attrs.frozen
class RayFakes(ExecutorSettings):
    """The same answers through Ray."""

    bench: FakeBench
    workers: int

    def open(self, work: Work) -> Any:
        import ray

        import nas_surgery_ray.cluster  # noqa: F401 (before Ray: no reports of its usage are sent)
        from nas_surgery_ray.executor import RayExecutor

        if not ray.is_initialized():
            ray.init("local", num_cpus=self.workers, log_to_driver=False)
        work = attrs.evolve(work, elsewhere=self.bench, workers=self.workers)
        return RayExecutor(work, {"num_cpus": 1}, 3, None)


def table(rows: list[dict[str, Any]]) -> list[str]:
    lines = [
        "| network, jobs | by | a state, kB | outcomes / s | decisions / s | journal, kB / s | events, kB / s | weights, MB / s | all workers are busy where a job takes, s |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        cells = [
            f"{row['network']}, {row['jobs']}",
            row["by"],
            f"{row['state bytes'] / 1e3:,.0f}",
            f"{row['outcomes a second']:,.0f}",
            f"{row['decisions a second']:.2f}",
            f"{row['journal bytes a second'] / 1e3:,.0f}",
            f"{row['event bytes a second'] / 1e3:,.0f}",
            f"{row['weight bytes a second'] / 1e6:,.0f}",
            f"{row['least seconds of a job']:.1f}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


if __name__ == "__main__":
    main()
