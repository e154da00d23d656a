"""Bad files are generated, loaded in a child process with little memory, and must be refused."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from nas_surgery.network.text import one_line

CHILD = Path(__file__).with_name("load_in_child.py")
MEMORY = 64 * 2**20  # more than this is a large allocation
CHECKER_MEMORY = 400 * 2**20  # for the process that holds the ONNX checker
SECONDS = 5
CLASSES = {
    "safetensors": "ModelFileError",
    "onnx": "ModelFileError",
    "npz": "DataFileError",
    "spec": "SpecFileError",
}
ROWS = "bad inputs"  # the property of a test's report that holds them, also behind workers


@pytest.fixture
def examine(tmp_path, record_property):
    """A function (loader, cases) that fails unless every case is refused as it should be.

    cases: by name (content, regex of the message); content is bytes, or makes what lies at a path.
    """

    def run(loader, cases):
        paths = [[name, str(_make(tmp_path, loader, name, cases[name][0]))] for name in cases]
        found, children = _load(loader, paths)
        rows = [(loader, name, cases[name][1], _got(found[name], path)) for name, path in paths]
        record_property(ROWS, rows)
        misses = {
            name: (cases[name][1], found[name])
            for name, path in paths
            if not _refused(loader, path, cases[name][1], found[name])
        }
        assert not misses
        assert children < CHECKER_MEMORY

    return run


def pytest_terminal_summary(terminalreporter):
    """The table of every bad input: what it is, what was expected, what came."""
    reports = terminalreporter.getreports("passed") + terminalreporter.getreports("failed")
    held = (value for report in reports for name, value in report.user_properties if name == ROWS)
    rows = sorted(row for each in held for row in each)
    if not rows:
        return
    terminalreporter.section(f"{len(rows)} bad inputs")
    for loader, name, expected, got in rows:
        terminalreporter.write_line(f"{loader:<12}{name:<38}{expected:<44.44}  {got:.110}")


def _make(folder, loader, name, content):
    inner = folder / re.sub(r"\W+", "-", name)[:40]
    inner.mkdir()
    path = inner / f"bad.{'toml' if loader == 'spec' else loader}"
    if callable(content):
        return content(path) or path
    path.write_bytes(content)
    return path


def _load(loader, paths):
    """What came of each file; a child that dies has its death put down to the file it was at."""
    found, children = {}, 0
    while waiting := [pair for pair in paths if pair[0] not in found]:
        done = subprocess.run(
            [sys.executable, str(CHILD), loader],
            input=json.dumps(waiting),
            capture_output=True,
            text=True,
            timeout=120,
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
            check=False,
        )
        records = [json.loads(line) for line in done.stdout.splitlines()]
        found.update({record["name"]: record for record in records if "name" in record})
        children = max([children, *(r["children"] for r in records if "children" in r)])
        if done.returncode:
            started = [record["started"] for record in records if "started" in record]
            assert started, f"the child did not start: {done.stderr}"
            found[started[-1]] = {"died": done.returncode, "stderr": done.stderr[-2000:]}
    return found, children


def _got(found, path):
    if "message" in found:
        return f"{found['family'][0]}: {found['message'].replace(one_line(path), '…')}"
    return f"loaded a {found['loaded']}" if "loaded" in found else f"ended with {found['died']}"


def _refused(loader, path, expected, found):
    """By one line of the right class that names the file, soon, in little memory, leaving nothing."""
    if "message" not in found:
        return False
    message = found["message"]
    return (
        CLASSES[loader] == found["family"][0]
        and "ModelFileError" in found["family"]
        and re.search(expected, message) is not None
        and one_line(path) in message
        and message.isprintable()
        and "memory" not in message
        and found["seconds"] < SECONDS
        and found["peak"] < MEMORY
        and found["left"] == 0
    )
