"""A shrink that was killed goes on where it was."""

import json

import numpy as np
import pytest

import nas_surgery as ns
from nas_surgery.errors import NasSurgeryError
from nas_surgery.shrinking import retraining, shrunk
from nas_surgery.shrinking.stages import Stages


class Killed(Exception):
    """What stands for a signal."""


@pytest.fixture(scope="module")
def network():
    return ns.Network.dense((20,), hidden=(24, 16), outputs=5, activation="relu", seed=1)


@pytest.fixture(scope="module")
def x():
    rng = np.random.default_rng(0)
    return (rng.normal(size=(100, 6)) @ rng.normal(size=(6, 20))).astype(np.float32)


def shrink(network, x, folder, out, **more):
    wishes = {"macs": 0.4, "steps": 2, "retrain": 1, **more}
    ns.save(network, out / "model.onnx")
    ns.shrink(out / "model.onnx", x, out=out / "small.onnx", run=folder, **wishes)
    return (out / "small.onnx").read_bytes()


@pytest.mark.parametrize("kill_at", [1, 2])
def test_what_was_done_is_not_done_again(monkeypatch, tmp_path, network, x, kill_at):
    """Killed while it retrains the first or the second time, the file is byte for byte that of an
    undisturbed shrink, and nothing before the kill is fitted again."""
    wanted = shrink(network, x, None, tmp_path)
    calls, fitted = [], []

    def killing(*given, **more):
        calls.append(1)
        if len(calls) == kill_at:
            raise Killed
        return retraining.retrained(*given, **more)

    monkeypatch.setattr(shrunk, "retrained", killing)
    with pytest.raises(Killed):
        shrink(network, x, tmp_path / "run", tmp_path)
    before = (tmp_path / "run" / "shrink.jsonl").read_text().splitlines()
    monkeypatch.setattr(shrunk, "retrained", retraining.retrained)
    real = Stages.network

    def noting(self, name, make):
        return real(self, name, lambda: (fitted.append(name), make())[1])

    monkeypatch.setattr(Stages, "network", noting)
    assert shrink(network, x, tmp_path / "run", tmp_path) == wanted
    assert not {json.loads(line)["stage"] for line in before} & set(fitted)


def test_a_torn_line_and_lost_weights_are_made_again(tmp_path, network, x):
    """A line that was being written and a network that is damaged cost nothing but time."""
    folder = tmp_path / "run"
    wanted = shrink(network, x, folder, tmp_path)
    journal = folder / "shrink.jsonl"
    journal.write_bytes(journal.read_bytes()[:-7])
    for file in (folder / "weights").iterdir():
        file.write_bytes(b"damaged")
    assert shrink(network, x, folder, tmp_path) == wanted


@pytest.mark.parametrize(
    ("more", "word"), [({"seed": 1}, "seed"), ({"exclude": [0]}, "exclude"), ({}, "data")]
)
def test_a_directory_belongs_to_what_it_was_begun_with(tmp_path, network, x, more, word):
    """Other data, seeds or wishes are refused by name; the budget may be another."""
    folder = tmp_path / "run"
    shrink(network, x, folder, tmp_path)
    shrink(network, x, folder, tmp_path, macs=0.5)
    with pytest.raises(NasSurgeryError, match=f"begun with another {word}"):
        shrink(network, x if more else x + 1, folder, tmp_path, **more)


def test_what_is_no_journal_is_refused(tmp_path, network, x):
    """One line, and nothing is overwritten."""
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "shrink.jsonl").write_text("no journal\n")
    with pytest.raises(NasSurgeryError, match="is damaged"):
        shrink(network, x, tmp_path / "run", tmp_path)
    with pytest.raises(NasSurgeryError, match=r"Not a directory|cannot"):
        shrink(network, x, tmp_path / "model.onnx", tmp_path)
