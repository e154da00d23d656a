"""Loads files one after another under an address-space limit, and says on standard output what came of each.

Run with the name of a loader and a JSON list of [name, path] pairs. Whatever kills this process is the
fault of the last file that it announced.
"""

import contextlib
import gc
import json
import os
import resource
import sys
import time
from pathlib import Path

from nas_surgery import Network, Spec
from nas_surgery.data.dataset import Dataset, load_dataset
from nas_surgery.data.sources import SOURCES
from nas_surgery.errors import NasSurgeryError
from nas_surgery.formats.models import load

HEADROOM = 256 * 2**20  # of address space, beside what is imported
NOBODY = 65534

LOADERS = {
    "safetensors": load,
    "onnx": load,
    "npz": lambda path: load_dataset(f"npz:{path}", SOURCES),
    "spec": Spec.from_toml,
}


def main():
    loader = LOADERS[sys.argv[1]]
    with contextlib.suppress(NasSurgeryError):
        loader(f"nowhere.{sys.argv[1]}")  # imports what is imported late
    gc.freeze()  # what is there now is not counted, and not gone through again and again
    limit = memory("VmSize") + HEADROOM
    resource.setrlimit(resource.RLIMIT_AS, (limit, resource.getrlimit(resource.RLIMIT_AS)[1]))
    for name, path in json.load(sys.stdin):
        say(started=name)
        say(name=name, **outcome(loader, name, path))
    say(children=resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024)


def outcome(loader, name, path):
    """What came of one file: class and message of the error, seconds, peak of memory, what was left."""
    gc.collect()
    alive, files = live(), beside(path)
    Path("/proc/self/clear_refs").write_text("5")  # the peak is counted from here
    memory_before, start = memory("VmRSS"), time.perf_counter()
    found = attempt(loader, name, path)
    found["seconds"] = time.perf_counter() - start
    found["peak"] = memory("VmHWM") - memory_before
    gc.collect()
    found["left"] = live() - alive + len(beside(path) - files)
    return found


def attempt(loader, name, path):
    with identity(NOBODY if "permission" in name else os.geteuid()):
        try:
            return {"loaded": type(loader(path)).__name__}
        except BaseException as error:
            family = [cls.__name__ for cls in type(error).__mro__]
            return {"family": family, "message": str(error)}


@contextlib.contextmanager
def identity(user):
    """Root may read everything, so it steps aside."""
    me = os.geteuid()
    if me == 0:
        os.seteuid(user)
    yield
    if me == 0:
        os.seteuid(me)


def beside(path):
    folder = Path(path).parent
    return set(folder.parent.rglob("*")) if folder.is_dir() else set()


def live():
    """Networks and datasets that somebody still holds."""
    return sum(isinstance(thing, Network | Dataset) for thing in gc.get_objects())


def memory(field):
    line = next(li for li in Path("/proc/self/status").read_text().splitlines() if field in li)
    return int(line.split()[1]) * 1024


def say(**values):
    print(json.dumps(values), flush=True)


if __name__ == "__main__":
    main()
