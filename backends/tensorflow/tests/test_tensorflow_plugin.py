"""The distribution is found by its entry point, costs nothing until used, and explains itself."""

import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

import nas_surgery as ns
import nas_surgery_tensorflow
from nas_surgery.errors import BackendError

FIRST_USE = """
import os, sys
{before}
from nas_surgery_tensorflow import load
backend = load()
import numpy as np
from nas_surgery import Network, Samples, TrainState
from nas_surgery.training.plans import Recipe
samples = Samples(np.ones((4, 3), np.float32), np.zeros(4, int))
backend.train(TrainState(Network.dense(3, (4,), 2)), samples, Recipe().plan(4, 0, 1))
import tensorflow as tf
print(tf.config.threading.get_intra_op_parallelism_threads(), os.environ["TF_ENABLE_ONEDNN_OPTS"])
"""


def run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)


def test_the_backend_is_found_by_its_entry_point() -> None:
    """The installed distribution names this package in the group of the core."""
    entries = metadata.entry_points(group="nas_surgery", name="tensorflow")
    if not entries:
        pytest.skip("nas-surgery-tensorflow is not installed")
    assert [entry.value for entry in entries] == ["nas_surgery_tensorflow"]
    assert ns.backend("tensorflow").name == "tensorflow"


def test_importing_the_package_does_not_import_tensorflow() -> None:
    """Listing plugins must not cost a framework's import."""
    done = run(
        "import sys, nas_surgery_tensorflow as t; t.nas_surgery_backends();"
        " print({'tensorflow', 'keras'} & set(sys.modules))"
    )
    assert done.stdout.strip() == "set()"


def test_a_missing_tensorflow_is_explained_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the backend and how to install what is missing."""
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    with pytest.raises(
        BackendError, match=r"tensorflow backend cannot import tensorflow.*pip install tensorflow"
    ) as caught:
        nas_surgery_tensorflow.load()
    assert "\n" not in str(caught.value)


def test_a_broken_tensorflow_is_explained_in_one_line(tmp_path: Path) -> None:
    """So is an installation whose libraries do not load; what it printed meanwhile is not lost."""
    (tmp_path / "tensorflow.py").write_text(
        "import os; os.write(2, b'I0000 00:00:1.2 a.cc:1] from C\\n')\n"
        "raise OSError('libtensorflow.so: bad magic\\nmore lines')"
    )
    done = run(
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
        "import nas_surgery_tensorflow\n"
        "try: nas_surgery_tensorflow.load()\n"
        "except Exception as error: print(type(error).__name__, error)"
    )
    assert done.stdout.startswith("BackendError")
    assert "libtensorflow.so: bad magic" in done.stdout
    assert done.stdout.count("\n") == 1
    assert done.stderr == "I0000 00:00:1.2 a.cc:1] from C\n"


@pytest.mark.slow
def test_the_first_use_is_quiet_and_fixes_what_bits_depend_on() -> None:
    """Nothing on stderr from import to training; one thread, and oneDNN whatever the environment says."""
    done = run(FIRST_USE.format(before="os.environ['TF_ENABLE_ONEDNN_OPTS'] = '0'"))
    assert done.stdout == "1 1\n"
    assert done.stderr == ""


@pytest.mark.slow
def test_a_tensorflow_in_use_before_is_taken_as_it_is_with_a_warning() -> None:
    """Its threads can no longer be chosen: the warning says so, once, and training works."""
    before = "import tensorflow as tf; tf.constant(1.0) + 1"
    done = run(FIRST_USE.format(before=before))
    assert done.stdout.split()[0] == "0"
    assert done.stderr.count("RuntimeWarning: TensorFlow was in use") == 1
    assert "all threads instead of 1" in done.stderr
