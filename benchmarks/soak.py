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
from functools import partial
from itertools import count
from pathlib import Path

from nas_surgery.testing.runs import (
    WRITES,
    CommandProcess,
    fill_disk,
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
optimizer = "sgd"
momentum = 0.9
[search]
strategy = "{strategy}"
initial_epochs = 2
epoch_step = 2
max_epochs = 8
"""
DEFAULT_SPEC = SPEC.replace("initial_epochs = 2\nepoch_step = 2\n", "")
KILLS_A_RUN = 4
FAULTS = ("lost", "different", "with temporary files", "without a clear line")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--backend", default="numpy")
    parser.add_argument("--strategy", default="paper")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--disk", action="store_true", help="fill the disk instead of killing")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        soak = Soak(Path(folder), options)
        soak.fill_disks() if options.disk else soak.kill(options.kills, options.seed)
    print(", ".join(f"{value} {name}" for name, value in soak.counts.items()))
    sys.exit(any(soak.counts[name] for name in FAULTS))


class Soak:
    """Disturbed runs, each held against one that was not."""

    def __init__(self, folder: Path, options: argparse.Namespace) -> None:
        self.folder, self.spec = folder, folder / "spec.toml"
        text = SPEC if options.strategy == "paper" else DEFAULT_SPEC
        self.spec.write_text(text.format(backend=options.backend, strategy=options.strategy))
        self.undisturbed = folder / "undisturbed"
        finish(["run", str(self.spec), "--out", str(folder / "warm-up")])
        begun = time.perf_counter()
        done = finish(["run", str(self.spec), "--out", str(self.undisturbed)])
        self.seconds = time.perf_counter() - begun
        if done.code:
            sys.exit(done.error)
        print(f"an undisturbed run takes {self.seconds:.1f} s")
        self.counts = dict.fromkeys(("kills", "full disks", "runs", *FAULTS), 0)

    def kill(self, kills: int, seed: int) -> None:
        """Kill runs until there were enough kills."""
        generator = random.Random(seed)
        while self.counts["kills"] < kills:
            directory = self.folder / "run"
            self.counts["kills"] += disturb(self.spec, directory, generator, self.seconds)
            self.finish(directory)

    def fill_disks(self) -> None:
        """For each kind of write, let the first one fail, then the second, until none is left."""
        for point in WRITES:
            for passage in count(1):
                directory = self.folder / "run"
                command = ["run", str(self.spec), "--out", str(directory)]
                full = finish(command, before=partial(fill_disk, point, passage))
                if full.code == 0:
                    shutil.rmtree(directory)
                    break
                self.counts["full disks"] += 1
                self.counts["without a clear line"] += full.error.count("\n") != 1
                self.finish(directory)

    def finish(self, directory: Path) -> None:
        """Bring a run to its end, and see what became of it."""
        last = finish(next_command(self.spec, directory))
        if last.code:
            print(last.error)
        self.counts["runs"] += 1
        self.counts["lost"] += last.code != 0
        self.counts["different"] += last.code == 0 and not same_results(self.undisturbed, directory)
        self.counts["with temporary files"] += bool(leftovers(directory))
        shutil.rmtree(directory)


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
