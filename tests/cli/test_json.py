"""Every command prints one JSON object, with the keys that docs/json.md names."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

import nas_surgery
from nas_surgery.cli import main
from nas_surgery.testing.command import call

PAGE = Path(nas_surgery.__file__).parents[1] / "docs" / "json.md"
SMALL = ("--set", "search.max_epochs=2", "--set", "network.hidden=[4]")
CALLS = {
    "init": [("init", "sklearn:iris", "-o", "other.toml")],
    "run": [("run", "spec.toml", "--out", "new", *SMALL), ("resume", "run")],
    "run --dry-run": [("run", "spec.toml", "--dry-run")],
    "study": [
        ("study", "spec.toml", "--seeds", "0", "--out", "study", *SMALL),
        ("resume", "study"),
    ],
    "report": [("report", "run", "-o", "page.html")],
    "compare": [("compare", "run", "run")],
    "inspect": [("inspect", "run"), ("inspect", "run/winner.onnx")],
    "operate": [("operate", "run", "--op", "add_neurons:layer=1,count=2", "-o", "wide.onnx")],
    "shrink": [("shrink", "run", "--macs", "50%", "--data", "sklearn:iris", "-o", "small.onnx")],
    "export": [("export", "run", "-o", "out.onnx")],
    "predict": [
        ("predict", "run", "--data", "x.npy"),
        ("predict", "run", "--data", "x.npy", "-o", "out.csv"),
    ],
    "evaluate": [("evaluate", "run", "--data", "sklearn:iris")],
    "plugins": [("plugins",)],
}
RARE = {"interface", "unsupported"}  # of files from elsewhere


def documented():
    """The keys of each section of the page."""
    sections = re.split(r"^## (.+)$", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    rows = {
        title: re.findall(r"^\| (`.+?) \|", text, re.MULTILINE)
        for title, text in zip(sections[::2], sections[1::2], strict=True)
    }
    return {title: set(re.findall(r"`(\w+)`", " ".join(found))) for title, found in rows.items()}


@pytest.fixture(scope="module")
def begun(tmp_path_factory):
    """A folder with a spec, a finished run and samples."""
    folder = tmp_path_factory.mktemp("json")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert call("init", "sklearn:iris", "-o", "spec.toml")[0] == 0
        assert call("run", "spec.toml", "--out", "run", *SMALL, "--quiet")[0] == 0
        np.save("x.npy", np.zeros((3, 4), np.float32))
    return folder


def test_every_command_is_tried():
    """`resume` with what it resumes."""
    assert {title.split()[0] for title in CALLS} | {"resume"} == set(main.commands)


@pytest.mark.parametrize("command", main.commands)
def test_every_command_has_it(command):
    """As a flag."""
    (flag,) = [each for each in main.commands[command].params if "--json" in each.opts]
    assert flag.is_flag


@pytest.mark.parametrize("title", CALLS)
def test_its_keys_are_documented(begun, monkeypatch, title):
    """All of them, and no others; standard output is one object."""
    monkeypatch.chdir(begun)
    keys = set()
    for arguments in CALLS[title]:
        code, out, _ = call(*arguments, "--json")
        assert code == 0
        keys |= json.loads(out).keys()
    assert documented()[title] - RARE == keys
