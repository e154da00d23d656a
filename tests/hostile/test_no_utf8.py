"""Characters outside UTF-8, as names of files and messages may hold them: written as escapes, or refused."""

import json
import os

import numpy as np
import pytest

import nas_surgery as ns
from nas_surgery.errors import SpecError
from nas_surgery.plugins.events import Event
from nas_surgery.runs.event_log import EventLog
from nas_surgery.search.journal import Journal

ODD = os.fsdecode(b"caf\xe9")
SEARCH = {"strategy": "paper", "max_epochs": 2, "initial_epochs": 1, "epoch_step": 1}


def blobs(labels):
    """A little data with labels of those names."""
    y = np.arange(60) % len(labels)
    x = np.random.default_rng(0).normal(size=(60, 4)).astype(np.float32) + y[:, None]
    return x, np.array(labels)[y]


@pytest.mark.parametrize("text", [ODD, "\ud800", "a\x1b[2J"])
def test_journals_and_event_logs_hold_any_text(tmp_path, text):
    """And a run that is resumed finds the same records."""
    for _ in range(2):
        journal = Journal(tmp_path / "journal.jsonl")
        journal.write("decision", reason=text, **{text: [text]})
        journal.close()
    with EventLog(tmp_path / "events.jsonl") as log:
        log(Event("plugin_failed", 0.0, {"reason": text}))
    for name in ("journal.jsonl", "events.jsonl"):
        (line,) = (tmp_path / name).read_text(encoding="utf-8").splitlines()
        assert json.loads(line)["reason"] == text.replace("\udce9", "\\udce9").replace(
            "\ud800", "\\ud800"
        )


def test_a_plugin_that_fails_with_such_a_reason_does_not_end_the_run(tmp_path):
    """Nor do classes of such names: everything is written."""
    plugin = tmp_path / "odd.py"
    plugin.write_text(
        "def score(accuracy):\n    raise ValueError('caf\\udce9')\n"
        "def nas_surgery_scores():\n"
        "    return {'odd': lambda accuracy: 1.0 if accuracy == 1 else score(accuracy)}\n"
    )
    spec = {"plugins": [str(plugin)], "search": {**SEARCH, "score": "odd"}}
    result = ns.run(spec, data=blobs([ODD, "b", "c"]), out=tmp_path / "out")
    assert ODD in result.summary["classes"]
    assert "caf\\\\udce9" in (tmp_path / "out" / "journal.jsonl").read_text(encoding="utf-8")
    assert "caf\\\\udce9" in (tmp_path / "out" / "summary.json").read_text(encoding="utf-8")


def test_a_run_in_a_folder_of_such_a_name(tmp_path):
    """What is written there does not hold the name."""
    folder = tmp_path / ODD
    result = ns.run({"search": SEARCH}, data=blobs(["a", "b"]), out=folder / "out")
    assert ns.load(folder / "out").equals(result.network)


@pytest.mark.parametrize("key", ["plugins", "source", "file", "activation", "strategy"])
def test_a_spec_that_could_not_be_written_down_is_refused(tmp_path, monkeypatch, key):
    """In one line that shows the text; a relative path too, as it would be written absolute."""
    folder = tmp_path / ODD
    folder.mkdir()
    monkeypatch.chdir(folder)
    (folder / "here").write_bytes(b"")
    spec = {
        "plugins": {"plugins": ["here"]},
        "source": {"data": {"source": "npz:here"}},
        "file": {"network": {"file": "here"}},
        "activation": {"network": {"activation": ODD}},
        "strategy": {"search": {"strategy": ODD}},
    }[key]
    with pytest.raises(SpecError, match=r"caf\\udce9.*UTF-8|UTF-8.*caf\\udce9"):
        ns.run(spec, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()
