"""What a spec sets and its run does not use is said, and nothing else is."""

import logging

import attrs
import numpy as np
import pytest

import nas_surgery as ns
from nas_surgery.runs.callers import given_keys
from nas_surgery.runs.spec import Spec
from nas_surgery.runs.unused import RULES, warnings_said

DATA = {"source": "sklearn:iris"}
SEARCH = {"strategy": "paper", "max_epochs": 1}
BASE = {"data": DATA, "search": SEARCH}
NETWORK = ns.Network.dense(4, (3,), 3)


def warnings(spec, **given):
    """What a run on a spec is warned of."""
    return ns.run(spec, **given).summary["warnings"]


@pytest.mark.parametrize(
    ("changes", "given", "key"),
    [
        ({"run": {"workers": 2}}, {}, "run.workers"),
        ({"run": {"job_seconds": 9}}, {}, "run.job_seconds"),
        ({"search": {"max_epochs": 1, "score": "paper"}}, {}, "search.score"),
        ({"training": {"schedule_epochs": 3}}, {}, "training.schedule_epochs"),
        ({"network": {"hidden": [3]}}, {"network": NETWORK}, "network.hidden"),
        ({"network": {"file": "nowhere.onnx"}}, {"network": NETWORK}, "network.file"),
        ({}, {"data": (np.eye(4).repeat(9, 0), np.arange(36) % 2)}, "data.source"),
        ({}, {"overrides": {"run.workers": 3}}, "run.workers"),
    ],
)  # fmt: skip
def test_each_rule_is_told_by_its_key(changes, given, key):
    """Of values in the spec, at their default or not, and of overrides."""
    (said,) = warnings({**BASE, **changes}, **given)
    assert said.startswith(f"{key} is set and not used: ")


def test_what_is_used_or_not_set_is_not_spoken_of():
    """Neither defaults nor settings that count."""
    assert warnings(BASE) == []
    used = {**BASE, "search": {**SEARCH, "score": "paper"}, "network": {"hidden": [3]}}
    assert warnings(used) == []


def test_of_a_spec_what_differs_from_its_default_is_set():
    """It does not remember what it was made from."""
    spec = Spec.from_dict({"run": {"workers": 3, "threads": 1}, "seed": 0, "search": SEARCH})
    assert given_keys(spec, {"seed": 1}) == {
        "run.workers",
        "search.strategy",
        "search.max_epochs",
        "seed",
    }
    assert warnings(Spec.from_dict({**BASE, "run": {"workers": 3}})) != []


def test_every_key_of_a_rule_is_a_key_of_a_spec():
    """A renamed key would silently leave its rule without effect."""
    for rule in RULES:
        for key in rule.keys:
            table, _, name = key.partition(".")
            assert name in {field.name for field in attrs.fields(type(getattr(Spec(), table)))}


def test_warnings_are_read_back_from_an_event_log_that_may_be_damaged(tmp_path):
    """Lines that are none count nothing; each is given once."""
    log = tmp_path / "events.jsonl"
    line = '{"kind": "warning", "text": "a"}\n'
    log.write_text(f"{line}{line}[]\nnonsense\n" + '{"kind": "warning"}\n{"kind": "decision"}\n\n')
    assert warnings_said(log) == ["a"]
    assert warnings_said(tmp_path / "nowhere") == []


def test_warnings_are_logged_and_silent_by_default(caplog, capfd):
    """By the logger `nas_surgery`, which has a NullHandler."""
    caplog.set_level(logging.WARNING, "nas_surgery")
    (said,) = warnings({**BASE, "run": {"workers": 2}})
    assert [(record.name, record.message) for record in caplog.records] == [("nas_surgery", said)]
    handlers = logging.getLogger("nas_surgery").handlers
    assert any(isinstance(handler, logging.NullHandler) for handler in handlers)
    assert capfd.readouterr() == ("", "")


def test_plugin_failures_are_logged(tmp_path, caplog):
    """Whether or not somebody observes the run."""
    plugin = tmp_path / "loud.py"
    plugin.write_text("def nas_surgery_on_event(event):\n    if event.kind == 'decision': 1 / 0")
    ns.run({**BASE, "plugins": [str(plugin)]})
    assert "plugin loud.py: ZeroDivisionError: division by zero" in caplog.messages


@pytest.mark.parametrize("resumed", [False, True])
def test_verbose_shows_the_progress_of_the_command_line(tmp_path, capsys, resumed):
    """On standard error, from Python; without it nothing is shown."""
    ns.run({**BASE, "run": {"workers": 2}}, out=tmp_path / "out", verbose=not resumed)
    if resumed:
        assert capsys.readouterr() == ("", "")
        ns.resume(tmp_path / "out", verbose=True)
    shown = capsys.readouterr()
    assert shown.out == ""
    if not resumed:
        assert "pretrain  accuracy" in shown.err
        assert "warning: run.workers" in shown.err
    assert shown.err


def test_operations_that_the_strategy_leaves_aside_are_said():
    """The default one works with a few of its own; the paper's with all that make proposals."""
    named = ["add_neurons", "truncated_svd"]
    search = {"max_epochs": 1, "operations": named}
    (said,) = warnings({"data": DATA, "search": search})
    assert said.startswith("operation truncated_svd is named and not used")
    assert not warnings({"data": DATA, "search": {**SEARCH, "operations": named}})
