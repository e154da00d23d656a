"""Kill complete small runs by SIGKILL at random times, resume them, and compare with an undisturbed run.

    python benchmarks/soak.py --kills 200 --backend numpy

Every disturbed run must end with the journal and the winner of the undisturbed one, byte for byte, and
leave no temporary file. Prints the counts and exits with 1 if one is not zero.
"""

import argparse
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path

from nas_surgery.testing.runs import (
    CommandProcess,
    finish,
    leftovers,
    next_command,
    same_results,
)

SPEC = """
[data]
source = "sklearn:digits"
train_limit = 320
validation = 100
[network]
hidden = [8, 8]
[training]
backend = "{backend}"
momentum = 0.9
[search]
strategy = "{strategy}"
initial_epochs = 2
epoch_step = 2
max_epochs = 8
"""
DEFAULT_SPEC = SPEC.replace("initial_epochs = 2\nepoch_step = 2\n", "")
KILLS_A_RUN = 4


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--backend", default="numpy")
    parser.add_argument("--strategy", default="paper")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        counts = soak(Path(folder), options)
    print(", ".join(f"{value} {name}" for name, value in counts.items()))
    sys.exit(any(counts[name] for name in ("lost", "different", "with temporary files")))


def soak(folder: Path, options: argparse.Namespace) -> dict[str, int]:
    """Kill until there are enough kills; what became of the runs."""
    spec = folder / "spec.toml"
    text = SPEC if options.strategy == "paper" else DEFAULT_SPEC
    spec.write_text(text.format(backend=options.backend, strategy=options.strategy))
    undisturbed = folder / "undisturbed"
    finish(["run", str(spec), "--out", str(folder / "warm-up")])
    begun = time.perf_counter()
    done = finish(["run", str(spec), "--out", str(undisturbed)])
    seconds = time.perf_counter() - begun
    if done.code:
        sys.exit(done.error)
    print(f"an undisturbed run takes {seconds:.1f} s")
    generator = random.Random(options.seed)
    counts = dict.fromkeys(("kills", "runs", "lost", "different", "with temporary files"), 0)
    while counts["kills"] < options.kills:
        directory = folder / f"run-{counts['runs']}"
        counts["kills"] += disturb(spec, directory, generator, seconds)
        counts["runs"] += 1
        last = finish(next_command(spec, directory))
        if last.code:
            print(last.error)
        counts["lost"] += last.code != 0
        counts["different"] += last.code == 0 and not same_results(undisturbed, directory)
        counts["with temporary files"] += bool(leftovers(directory))
        shutil.rmtree(directory)
    return counts


def disturb(spec: Path, directory: Path, generator: random.Random, seconds: float) -> int:
    """Start and resume a run a few times, each killed at a random moment; how often it was."""
    kills = 0
    for _ in range(KILLS_A_RUN):
        process = CommandProcess(next_command(spec, directory))
        process.process.join(generator.uniform(0, seconds / 2))
        if process.process.exitcode is None:
            process.process.kill()
            process.process.join()
            kills += 1
    return kills


if __name__ == "__main__":
    main()
