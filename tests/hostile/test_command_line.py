"""Bad files given to the command line: exit code 2 and one line."""

import numpy as np
import pytest
from click.testing import CliRunner

from nas_surgery.cli import main

COMMANDS = {
    "safetensors": "inspect bad.safetensors",
    "onnx": "inspect bad.onnx",
    "export": "export bad.onnx -o out.onnx",
    "spec": "run bad.toml",
    "data": "run data.toml --out out",
    "a model of a long name": f"inspect {'x' * 300}.onnx",
    "a spec of a long name": f"run {'x' * 300}.toml",
    "a pipe for a model": "inspect /dev/stdin",
    "a device for a spec": "run /dev/zero",
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The working directory, with the files that the commands name."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad.safetensors").write_bytes(b"\xff" * 99)
    (tmp_path / "bad.onnx").write_bytes(b"\x08" * 99)
    (tmp_path / "bad.toml").write_text("a" + ".a" * 9999 + " = 1")
    (tmp_path / "data.toml").write_text('[data]\nsource = "npz:objects.npz"\n')
    np.savez(tmp_path / "objects.npz", x_train=np.array([[{}]]), y_train=np.array([1]))
    return tmp_path


@pytest.mark.parametrize("name", COMMANDS)
def test_a_bad_file_is_one_line_and_exit_code_2(folder, name):
    """No traceback, and nothing is written."""
    before = set(folder.iterdir())
    result = CliRunner().invoke(main, COMMANDS[name].split())
    assert result.exit_code == 2, result.exception
    assert result.stderr.startswith("nas-surgery: error: ")
    assert result.stderr.count("\n") == 1
    assert not result.stdout
    assert set(folder.iterdir()) == before
