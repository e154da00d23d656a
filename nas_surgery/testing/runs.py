"""Complete small runs in processes of their own, to be killed, starved and damaged.

The processes are forked from a server that has imported the package, so that one costs milliseconds.
"""

import filecmp
import json
import resource
import sys
import time
import traceback
from collections.abc import Callable, Collection, Iterable
from functools import partial
from io import StringIO
from multiprocessing import get_context
from multiprocessing.context import ForkServerProcess
from multiprocessing.queues import SimpleQueue
from pathlib import Path
from typing import Any

import attrs

from nas_surgery import failpoints

RESULTS = ("journal.jsonl", "winner.onnx", "winner.safetensors")
PRELOADED = [
    "nas_surgery.runs.runner",
    "nas_surgery.cli",
    "sklearn.datasets",
    "onnx",
    "onnxruntime",
]
WRITES = ("file.open", "journal.append", "event.append")  # the points before something is written
ALMOST_NOTHING = 10


@attrs.frozen
class Ended:
    """How a process ended: exit code (negative: killed by that signal) and what it printed."""

    code: int
    error: str


class CommandProcess:
    """`nas-surgery ARGUMENTS` in a process of its own.

    failpoint: name of the point at which it kills itself. before: a function that it calls first,
    such as one that sets a resource limit.
    """

    def __init__(
        self,
        arguments: list[str],
        failpoint: str = "",
        before: Callable[[], Any] | None = None,
        preload: tuple[str, ...] = (),
    ) -> None:
        context = get_context("forkserver")
        context.set_forkserver_preload([*PRELOADED, *preload])
        self._said: SimpleQueue[str] = context.SimpleQueue()
        self.process: ForkServerProcess = context.Process(
            target=_main, args=(arguments, failpoint, before, self._said)
        )
        self.process.start()

    def wait(self, seconds: float = 120) -> Ended:
        """How it ended; RuntimeError if it takes longer."""
        self.process.join(seconds)
        if self.process.exitcode is None:
            self.process.kill()
            raise RuntimeError(f"still running after {seconds} s")
        said = "" if self._said.empty() else self._said.get()
        return Ended(self.process.exitcode, said)


def finish(arguments: list[str], **options: Any) -> Ended:
    """Run a command to its end."""
    return CommandProcess(arguments, **options).wait()


def sets(settings: Iterable[str]) -> list[str]:
    """Options of the command line that override keys of the spec."""
    return [word for setting in settings for word in ("--set", setting)]


def next_command(spec: Path, directory: Path) -> list[str]:
    """What a user types after a kill: resume, or run where not even the spec was written."""
    if (directory / "spec.toml").exists():
        return ["resume", str(directory)]
    return ["run", str(spec), "--out", str(directory)]


def same_results(a: Path, b: Path, but: Collection[str] = ()) -> bool:
    """Whether two run directories hold the same journal, winner and front, byte for byte, and the same
    summary but for clocks and the keys in `but`."""
    fronts = [sorted(file.name for file in (each / "pareto").iterdir()) for each in (a, b)]
    names = [*RESULTS, *(f"pareto/{name}" for name in fronts[0])]
    same = fronts[0] == fronts[1] and _summary(a, but) == _summary(b, but)
    return same and all(filecmp.cmp(a / name, b / name, shallow=False) for name in names)


def _summary(directory: Path, but: Collection[str]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((directory / "summary.json").read_text())
    del found["cost"]["seconds"]
    return {key: value for key, value in found.items() if key not in but}


def wait_until(condition: Callable[[], object], seconds: float = 60) -> None:
    """Wait for something to become true; RuntimeError if it takes longer."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise RuntimeError(f"not so after {seconds} s")
        time.sleep(0.01)


def fill_disk(point: str, passage: int) -> None:
    """Have the disk full for this process from that passage of a failpoint on: no file may grow."""
    failpoints.arm(f"{point}:{passage}", partial(limit_file_size, ALMOST_NOTHING))


def limit_file_size(size: int) -> None:
    """No file of this process may grow beyond `size` bytes, as on a full disk."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def leftovers(directory: Path) -> list[Path]:
    """Temporary files that a killed process left."""
    return list(directory.rglob(".nas-surgery-*"))


def _main(
    arguments: list[str],
    failpoint: str,
    before: Callable[[], Any] | None,
    said: "SimpleQueue[str]",
) -> None:
    from nas_surgery.cli import main

    failpoints.arm(failpoint)
    if before is not None:
        before()
    sys.stdout, sys.stderr = StringIO(), StringIO()
    try:
        main(arguments, prog_name="nas-surgery")
    except Exception:
        traceback.print_exc()
        raise
    finally:
        said.put(sys.stderr.getvalue())
