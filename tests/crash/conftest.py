"""One undisturbed run that every disturbed one must equal."""

from pathlib import Path

import pytest

from nas_surgery.testing.runs import finish

SPEC = """
[data]
source = "sklearn:iris"
[network]
hidden = [4, 4]
[training]
momentum = 0.9
[search]
strategy = "paper"
operations = ["identity", "add_neurons", "remove_neurons", "remove_layer"]
initial_epochs = 1
epoch_step = 1
max_epochs = 4
retraining_batches = 2
[run]
baseline = true
"""


@pytest.fixture(scope="session")
def spec(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("crash") / "spec.toml"
    file.write_text(SPEC)
    return file


@pytest.fixture(scope="session")
def undisturbed(spec: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("crash") / "undisturbed"
    done = finish(["run", str(spec), "--out", str(directory)])
    assert done.code == 0, done.error
    return directory
