"""Gives files to the importer, each in a fork of this process under the limits that the real one has.

Reads a JSON list of paths; prints one JSON line for each: the reasons, or what ended the fork; seconds; and
how much memory it had at most beyond what this process has.
"""

import json
import os
import resource
import sys
import time
from io import BytesIO
from pathlib import Path

from onnx import reference, version_converter  # noqa: F401 (what the importer imports late)

from nas_surgery.formats.onnx.importer.child import COPIES, SECONDS, SPARE, answer, limit
from nas_surgery.formats.safetensors import unpacked


def main():
    for path in json.load(sys.stdin):
        content = Path(path).read_bytes()
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        start = time.perf_counter()
        found, status, usage = forked(content)
        seconds = time.perf_counter() - start
        more = (usage.ru_maxrss - before) * 1024
        print(json.dumps({"found": found, "status": status, "seconds": seconds, "memory": more}))


def forked(content):
    """The reasons that a fork found, its status, and what it used."""
    read, write = os.pipe()
    child = os.fork()
    if not child:
        limit(SPARE + COPIES * len(content), SECONDS)
        metadata, _ = unpacked(BytesIO(packed := answer(content)), len(packed))
        os.write(write, metadata.get("reasons", '"imported"').encode()[:60_000])
        os._exit(0)
    os.close(write)
    with open(read, "rb") as pipe:
        text = pipe.read()
    _, status, usage = os.wait4(child, 0)
    return json.loads(text) if text else None, status, usage


if __name__ == "__main__":
    main()
