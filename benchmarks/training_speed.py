"""How fast is one training step? Every backend beside Keras `fit` and a plain torch loop.

    python benchmarks/training_speed.py --json training_speed.json

One process for each contender; their repeats take turns, so that all meet the same weather, and the
best of each counts. Data are synthetic: inputs of unit variance, random labels of ten classes.
Steps are plain SGD over whole epochs, each in an order of its own, on batches of 16; LeNet and
ResNet-8 (`training_images.py`) on batches of 64.

- numpy, torch, tensorflow: `Backend.train`, making the plan of batches included, as late in a run
  as a backend has compiled whatever it compiles
- keras: `model.fit`, of convolutional networks those of `training_images_keras.py`, as the paper's authors call it: on a tf.data pipeline (from_tensor_slices, cached,
  shuffled, batched), with accuracy as metric and default settings otherwise
- torch loop: `nn.Sequential`, `optim.SGD`, zero_grad, backward, step over tensors in memory, one thread;
  of a convolutional network the fastest of channels first or last, and of the optimizer's ways

Set-up is the time from a topology never seen before to the end of its first step, with the
framework warm and the data in place.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from importlib import metadata, util
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import attrs
from training_contenders import CASES, CLASSES, CONTENDERS, Case, Contender, present

REPEATS, TOPOLOGIES = 5, 3
CLOCKS = {"wall": perf_counter, "cpu": process_time}
PACKAGES = ("nas-surgery", "numpy", "scipy", "torch", "tensorflow", "keras")

# A process of its own for each contender: asked by a line of JSON, it answers with seconds.


def serve(name: str, threads: int, clock: str) -> None:
    """Answer requests for `[case, "train" | "setup"]` until the input ends."""
    from threadpoolctl import threadpool_limits

    answers, sys.stdout = sys.stdout, sys.stderr  # frameworks may print
    contender, worker = CONTENDERS[name](), None
    threadpool_limits(limits=threads if name != "keras" else None)
    for line in sys.stdin:
        case, what = json.loads(line)
        if worker is None or worker.case is not CASES[case]:
            worker = _Worker(contender, CASES[case], CLOCKS[clock])
        print(json.dumps(getattr(worker, what)()), file=answers, flush=True)


class _Worker:
    """A contender on one case."""

    def __init__(self, contender: Contender, case: Case, clock: Callable[[], float]) -> None:
        self.case, self._build, self._clock = case, contender(case), clock
        if self._build:
            self._run = self._build(case)
            self._run(case.epochs)  # warm-up: whatever is compiled is compiled now

    def train(self) -> float | None:
        """Seconds for one repeat; None where the contender does not train such a network."""
        return self._seconds(lambda: self._run(self.case.epochs)) if self._build else None

    def setup(self) -> float | None:
        """Least seconds from a new topology to the end of its first step."""
        if not self._build:
            return None
        build = self._build
        others = [self.case.other_topology(i) for i in range(1, TOPOLOGIES + 1)]
        return min(self._seconds(lambda other=other: build(other)(1)) for other in others)

    def _seconds(self, action: Callable[[], object]) -> float:
        start = self._clock()
        action()
        return self._clock() - start


class Process:
    """A contender's process."""

    def __init__(self, name: str, threads: int, clock: str) -> None:
        self.name = name
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 - open as long as the process
        command = [sys.executable, __file__, "--serve", name, "--threads", str(threads)]
        command += ["--clock", clock]
        environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "KERAS_BACKEND": "tensorflow"}
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            env=environment,
        )

    def ask(self, case: Case, what: str) -> float | None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps([CASES.index(case), what]), file=self._process.stdin, flush=True)
        answer = self._process.stdout.readline()
        if not answer:
            self._errors.seek(0)
            raise SystemExit(f"{self._errors.read()}\n{self.name} failed on {case.name}")
        seconds = json.loads(answer)
        return None if seconds is None else float(seconds)

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


def measure(case: Case, processes: Iterable[Process]) -> dict[str, Any]:
    """Microseconds per step and set-up seconds of every contender on a case."""
    able, seconds = list(processes), {}
    for _ in range(REPEATS):
        for process in list(able):
            taken = process.ask(case, "train")
            if taken is None:
                able.remove(process)
            else:
                seconds.setdefault(process.name, []).append(taken)
    setup = {process.name: process.ask(case, "setup") for process in able}
    return {
        **attrs.asdict(case),
        "steps": case.steps,
        "us_per_step": {name: min(s) / case.steps * 1e6 for name, s in seconds.items()},
        "setup_seconds": setup,
        "repeats_us": {name: [t / case.steps * 1e6 for t in s] for name, s in seconds.items()},
    }


def ratio(result: dict[str, Any], contender: str, rival: str) -> float | None:
    """How many times faster a contender is than its rival."""
    speeds = result["us_per_step"]
    if contender in speeds and rival in speeds and contender != rival:
        return float(speeds[rival] / speeds[contender])
    return None


def print_result(result: dict[str, Any]) -> None:
    print(
        f"\n{result['name']}: {result['inputs']}-{'-'.join(map(str, result['hidden']))}-{CLASSES},"
        f" batches of {result['batch']}"
    )
    print(f"{'':12}{'µs per step':>12}{'set-up s':>10}{'× keras':>9}{'× torch loop':>14}")
    for name, speed in result["us_per_step"].items():
        ratios = [ratio(result, name, rival) for rival in ("keras", "torch loop")]
        cells = [f"{value:.2f}" if value else "" for value in ratios]
        setup = result["setup_seconds"][name]
        print(f"{name:12}{speed:12.1f}{setup:10.4f}{cells[0]:>9}{cells[1]:>14}", flush=True)


def machine() -> dict[str, Any]:
    """The processor and what runs on it."""
    model = platform.processor()
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next((li.split(":")[1].strip() for li in lines if "model name" in li), model)
    return {
        "cpu": model,
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "load_at_start": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
    }


def versions() -> dict[str, str]:
    installed = {package: util.find_spec(package.replace("-", "_")) for package in PACKAGES}
    return {package: metadata.version(package) for package, spec in installed.items() if spec}


def compete(cases: list[Case], names: list[str], threads: int, clock: str) -> list[dict[str, Any]]:
    """Measure every case, and print it at once."""
    processes = [Process(name, threads, clock) for name in names]
    results = []
    try:
        for case in cases:
            results.append(measure(case, processes))
            print_result(results[-1])
    finally:
        for process in processes:
            process.close()
    return results


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results there")
    cases = [case.name for case in CASES]
    parser.add_argument("--cases", nargs="+", choices=cases, default=cases)
    parser.add_argument("--contenders", nargs="+", choices=[*CONTENDERS])
    parser.add_argument("--threads", type=int, default=1, help="most threads of a backend")
    parser.add_argument(
        "--clock",
        choices=[*CLOCKS],
        default="wall",
        help="cpu: time of the processor, where others want it too; of all threads together",
    )
    parser.add_argument("--serve", choices=[*CONTENDERS], help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    arguments = parse()
    if arguments.serve:
        serve(arguments.serve, arguments.threads, arguments.clock)
        return
    names = arguments.contenders or [name for name in CONTENDERS if present(name)]
    cases = [case for case in CASES if case.name in arguments.cases]
    report = {
        "date": datetime.now(UTC).date().isoformat(),
        "machine": machine(),
        "versions": versions(),
        "settings": {
            "repeats": REPEATS,
            "threads": arguments.threads,
            "clock": arguments.clock,
        },
        "results": compete(cases, names, arguments.threads, arguments.clock),
    }
    if arguments.json:
        arguments.json.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
