"""An undisturbed run of each strategy, which every disturbed one must equal."""

from pathlib import Path

import pytest

from nas_surgery.testing.runs import finish

SPEC = """
[data]
source = "sklearn:iris"
[network]
hidden = [4, 4]
[training]
optimizer = "sgd"
momentum = 0.9
[run]
baseline = true
"""
PAPER = """
[search]
strategy = "paper"
operations = ["identity", "add_neurons", "remove_neurons", "remove_layer"]
initial_epochs = 1
epoch_step = 1
max_epochs = 4
retraining_batches = 2
"""
DEFAULT = """
[search]
strategy = "default"
max_epochs = 8
growth_until = 0.5
least_batches = 4
"""


@pytest.fixture(scope="session")
def spec(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("crash") / "spec.toml"
    file.write_text(SPEC + PAPER)
    return file


@pytest.fixture(scope="session")
def default_spec(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("crash") / "default.toml"
    file.write_text(SPEC + DEFAULT)
    return file


@pytest.fixture(scope="session")
def undisturbed(spec: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _finished(spec, tmp_path_factory)


@pytest.fixture(scope="session")
def undisturbed_default(default_spec: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _finished(default_spec, tmp_path_factory)


def _finished(spec: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("crash") / "undisturbed"
    done = finish(["run", str(spec), "--out", str(directory)])
    assert done.code == 0, done.error
    return directory
