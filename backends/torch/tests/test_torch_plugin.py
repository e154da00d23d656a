"""The distribution is found by its entry point, costs nothing until used, and explains itself."""

import os
import subprocess
import sys
from importlib import metadata

import pytest

import nas_surgery as ns
import nas_surgery_torch
from nas_surgery.errors import BackendError


def test_the_backend_is_found_by_its_entry_point():
    """The installed distribution names this package in the group of the core."""
    entries = metadata.entry_points(group="nas_surgery", name="torch")
    if not entries:
        pytest.skip("nas-surgery-torch is not installed")
    assert [entry.value for entry in entries] == ["nas_surgery_torch"]
    assert ns.backend("torch").name == "torch"


def test_importing_the_package_does_not_import_torch():
    """Listing plugins must not cost a framework's import."""
    code = "import sys, nas_surgery_torch as t; t.nas_surgery_backends(); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


WORKER = """
from nas_surgery.search.workbench_plan import WorkbenchPlan
from nas_surgery.testing.builders import build, labelled
from nas_surgery.training.plans import Recipe
from nas_surgery.training.state import TrainState
from nas_surgery.training.state_bytes import state_to_bytes

network = build(3, 5, "relu", 4)
start, samples = state_to_bytes(TrainState(network)), labelled(network, 9)
WorkbenchPlan("torch", "cpu", Recipe(), start, samples, samples, (), (), threads=1).bench()
import torch
print(torch.get_num_threads())
"""


def test_a_worker_binds_torch_to_the_threads_of_its_run():
    """Also where torch is first imported with the bench; weights depend on them."""
    environment = {**os.environ, "OMP_NUM_THREADS": "2"}
    done = subprocess.run(
        [sys.executable, "-c", WORKER], capture_output=True, text=True, check=True, env=environment
    )
    assert done.stdout.strip() == "1"


def test_a_missing_torch_is_explained_in_one_line(monkeypatch):
    """The error names the backend and how to install what is missing."""
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(
        BackendError, match=r"torch backend cannot import torch.*pip install"
    ) as caught:
        nas_surgery_torch.load()
    assert "\n" not in str(caught.value)


def test_a_broken_torch_is_explained_in_one_line(tmp_path):
    """So is an installation whose libraries do not load."""
    (tmp_path / "torch.py").write_text("raise OSError('libtorch.so: bad magic\\nmore lines')")
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
        "import nas_surgery_torch\n"
        "try: nas_surgery_torch.load()\n"
        "except Exception as error: print(type(error).__name__, error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("BackendError")
    assert "libtorch.so: bad magic" in done.stdout
    assert done.stdout.count("\n") == 1
