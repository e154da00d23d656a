import os
import sys
import traceback
from importlib import metadata
from types import ModuleType

import attrs
import pytest
from click.testing import CliRunner

import nas_surgery as ns
from nas_surgery.cli import main
from nas_surgery.errors import PluginError
from nas_surgery.plugins import hookspecs
from nas_surgery.plugins import registry as plugins
from nas_surgery.plugins.events import Event
from nas_surgery.plugins.registry import BUILTIN, Registry, load_registry
from nas_surgery.runs.preparation import prepare
from nas_surgery.strategies import PaperStrategy

SCORE = "def nas_surgery_scores():\n    return {'mine': lambda accuracy: 2 * accuracy}\n"


@pytest.fixture
def file(tmp_path):
    """Writes a single-file plugin."""

    def write(text, name="mine.py"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    return write


@pytest.fixture
def installed(monkeypatch):
    """Installs modules as entry points that exist for this test alone; source code by name."""

    def install(**sources):
        entries = []
        for name, source in sources.items():
            module = f"nas_surgery_test_plugin_{name}"
            value = f"{module}:missing" if source is None else module
            monkeypatch.setitem(sys.modules, module, _Lazy(module, source or ""))
            entries.append(metadata.EntryPoint(name.replace("_", "-"), value, "nas_surgery"))
        monkeypatch.setattr(plugins.metadata, "entry_points", lambda group: entries)
        plugins.default_registry.cache_clear()

    yield install
    plugins.default_registry.cache_clear()


class _Lazy(ModuleType):
    """A module whose source runs when the entry point is loaded, as an import would."""

    def __init__(self, name, source):
        super().__init__(name)
        self._source = source

    def __getattribute__(self, name):
        if name == "__dict__":
            held = super().__getattribute__("__dict__")
            source, held["_source"] = held.get("_source"), ""
            exec(source or "", held)
        return super().__getattribute__(name)

    def __dir__(self):
        return list(self.__dict__)


def provided(registry, name):
    """What the plugin of that name provides."""
    (info,) = [info for info in registry.plugins if info.name == name]
    assert info.error is None
    return info.provides


def test_the_built_ins_come_by_the_same_route():
    """Every kind of thing that the core brings, under one owner."""
    registry = Registry()
    from nas_surgery.plugins import builtin

    registry.add(builtin, BUILTIN, "1", "built in")
    assert {"identity", "add_neurons", "remove_layer"} <= set(registry.names("operations"))
    assert {"paper", "accuracy"} <= set(registry.names("scores"))
    assert {"sklearn", "npz", "openml"} <= set(registry.names("datasets"))
    assert "numpy" in registry.names("backends")
    assert "paper" in registry.names("strategies")
    assert registry.names("executors") == ("local", "processes")
    assert registry.owner("scores", "paper").name == BUILTIN


def test_a_single_file_provides_things(file):
    """Its version is its content, its origin the path."""
    path = file(SCORE)
    registry = load_registry([path])
    assert provided(registry, "mine.py") == {"scores": ("mine",)}
    assert registry.get("scores", "mine")(0.25) == 0.5
    info = registry.owner("scores", "mine")
    assert info.origin == str(path)
    assert info.version.startswith("sha256:")
    assert load_registry([file(SCORE + "\n")]).owner("scores", "mine").version != info.version


def test_files_of_one_stem_do_not_mix(file):
    """Two versions of a file, loaded one after the other, stay what they are."""
    first = load_registry([file(SCORE)]).get("scores", "mine")
    second = load_registry([file(SCORE.replace("2", "3"))]).get("scores", "mine")
    assert (first(1), second(1)) == (2, 3)


def test_a_file_is_the_same_where_it_is_not_there(file):
    """As on another machine: what was read is loaded again, with the lines of its tracebacks."""
    path = file("def nas_surgery_scores():\n    return {'mine': lambda loss: 1 / 0}  # oh\n")
    (read,) = load_registry([path]).files
    path.unlink()
    again = load_registry([read])
    assert again.owner("scores", "mine").origin == str(path)
    with pytest.raises(ZeroDivisionError) as error:
        again.get("scores", "mine")(0.0)
    trace = "".join(traceback.format_exception(error.value))
    assert "return {'mine': lambda loss: 1 / 0}  # oh" in trace


BROKEN = [
    ("def nas_surgery_score():\n    return {}", "nas_surgery_score is not a hook; did you mean nas_surgery_scores?"),
    ("def nas_surgery_zzzzzzz(): ...", "nas_surgery_zzzzzzz is not a hook; "),
    ("def nas_surgry_scores(): ...", "nas_surgry_scores is not a hook; did you mean nas_surgery_scores?"),
    ("x = 1", "defines no hook; hooks are nas_surgery_operations, "),
    ("1 / 0", "ZeroDivisionError: division by zero"),
    ("import sys; sys.exit(3)", "SystemExit: 3"),
    ("def (", "SyntaxError: invalid syntax"),
    ("import nowhere_to_be_found", "ModuleNotFoundError: No module named 'nowhere_to_be_found'"),
    ("def nas_surgery_scores(): raise ValueError('first\\nsecond')", "ValueError: first"),
    ("def nas_surgery_scores(): raise SystemExit", "SystemExit"),
    ("def nas_surgery_scores(): return [1]", "nas_surgery_scores must return a dict from names to things, got [1]"),
    ("def nas_surgery_scores(): return None", "must return a dict"),
    ("def nas_surgery_scores(): return {1: print}", "must return a dict from names"),
    ("def nas_surgery_scores(): return {'a': 3}", "'a' must be a class or a function, got 3"),
    ("def nas_surgery_scores(): return {'a': lambda foo: 1}", "nobody provides foo"),
    ("def nas_surgery_scores(): return {'paper': abs}", "nobody provides"),
    ("def nas_surgery_scores(): return {'paper': lambda loss: -loss}", "'paper' is already provided by nas_surgery.builtin"),
    ("def nas_surgery_scores(x): return {}", "Argument(s) {'x'} are declared in the hookimpl"),
    ("def nas_surgery_operations(): return {'a': lambda: 1}", "'a' must be a subclass of nas_surgery.Operation"),
    ("from nas_surgery.operations import Identity\ndef nas_surgery_operations(): return {'a': Identity}", "must have the class variable name = 'a', got 'identity'"),
    ("from nas_surgery import Operation\nclass A(Operation):\n    name = 'a'\ndef nas_surgery_operations(): return {'a': A}", "must be an attrs class: put @attrs.frozen before it"),
    ("def nas_surgery_strategies(): return {'a': dict}", "'a' must be a subclass of nas_surgery.strategies.Strategy"),
    ("def nas_surgery_executors(): return {'a': dict}", "'a' must be a subclass of nas_surgery.executors.ExecutorSettings"),
    ("from nas_surgery.executors import ExecutorSettings\nclass A(ExecutorSettings): ...\ndef nas_surgery_executors(): return {'a': A}", "must be an attrs class: put @attrs.frozen before it"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "rule"), BROKEN)
def test_what_is_wrong_with_a_plugin_is_said_when_it_is_loaded(file, text, rule):
    """In one line that names the file and the rule; exceptions and exits alike."""
    with pytest.raises(PluginError) as refusal:
        load_registry([file(text)])
    message = str(refusal.value)
    assert "mine.py: " in message
    assert rule in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("name", "rule"), [("nowhere.py", "No such file"), ("folder", "Is a directory")]
)
def test_a_file_that_is_not_there_is_named(tmp_path, name, rule):
    """With the system's reason."""
    (tmp_path / "folder").mkdir()
    with pytest.raises(PluginError, match=rf"{name}: {rule}"):
        load_registry([tmp_path / name])


def test_a_pipe_is_no_plugin_and_nobody_waits_for_it(tmp_path):
    """Nor is a name with a NUL, or a file of any size."""
    os.mkfifo(tmp_path / "pipe.py")
    with pytest.raises(PluginError, match=r"pipe\.py: not a regular file"):
        load_registry([tmp_path / "pipe.py"])
    with pytest.raises(PluginError, match="no file name holds a NUL"):
        load_registry([tmp_path / "a\0b.py"])
    with (tmp_path / "large.py").open("wb") as file:
        file.truncate(plugins.MAX_FILE_BYTES + 1)
    with pytest.raises(PluginError, match=r"large\.py: larger than"):
        load_registry([tmp_path / "large.py"])


def test_two_plugins_of_one_name_are_refused(file):
    """The first one would answer for the second."""
    paths = [file(SCORE), file(SCORE.replace("mine", "other"), "folder/mine.py")]
    with pytest.raises(PluginError, match=r"mine\.py: another one of this name is loaded"):
        load_registry(paths)


def test_a_plugin_that_failed_leaves_nothing_behind(file):
    """Neither its good hooks nor its spelling mistakes trouble the next."""
    registry = load_registry()
    before = {kind: registry.names(kind) for kind in plugins.KINDS}
    module = ModuleType("half")
    exec(SCORE + "def nas_surgery_on_evnt(event): ...", vars(module))
    with pytest.raises(PluginError, match="did you mean nas_surgery_on_event"):
        registry.add(module, "half", "1", "here")
    assert {kind: registry.names(kind) for kind in plugins.KINDS} == before
    good = ModuleType("good")
    exec(SCORE, vars(good))
    assert registry.add(good, "good", "1", "here").provides == {"scores": ("mine",)}


def test_entry_points_fail_one_by_one(installed):
    """One that raises, exits, is misspelt or is missing takes no other down, and is listed with why."""
    installed(
        a_raises="1 / 0",
        b_exits="import sys; sys.exit(1)",
        c_good=SCORE,
        d_misspelt="def nas_surgery_score(): ...",
        e_missing=None,
        f_conflict=SCORE,
        g_good=SCORE.replace("mine", "other"),
    )
    registry = load_registry()
    failed = {info.name: info.error for info in registry.plugins if info.error}
    assert list(failed) == ["a-raises", "b-exits", "d-misspelt", "e-missing", "f-conflict"]
    assert "ZeroDivisionError" in failed["a-raises"]
    assert "SystemExit" in failed["b-exits"]
    assert "did you mean nas_surgery_scores" in failed["d-misspelt"]
    assert "AttributeError" in failed["e-missing"]
    assert "'mine' is already provided by c-good" in failed["f-conflict"]
    assert provided(registry, "c-good") == {"scores": ("mine",)}
    assert provided(registry, "g-good") == {"scores": ("other",)}
    assert registry.get("scores", "paper")


def test_the_command_line_lists_them_all(installed):
    """What is there, its version and origin, and what failed and why."""
    installed(good=SCORE, bad="1 / 0")
    result = CliRunner().invoke(main, ["plugins"])
    assert result.exit_code == 0
    lines = result.output.splitlines()
    version = metadata.version("nas-surgery")
    assert lines[0] == f"{BUILTIN} {version} (built in)"
    assert "  scores: mine" in lines
    place = next(i for i, line in enumerate(lines) if line.startswith("bad "))
    assert "ZeroDivisionError: division by zero" in lines[place + 1]
    assert "failed to load" in lines[place + 1]


def test_an_unknown_name_gets_advice(installed):
    """The nearest name, or how to install a backend, and what failed to load meanwhile."""
    installed(bad="1 / 0")
    registry = load_registry()
    with pytest.raises(
        PluginError, match="unknown operation 'add_neuron'; did you mean 'add_neurons'"
    ):
        registry.get("operations", "add_neuron")
    with pytest.raises(PluginError, match=r"unknown strategy 'zzz'; known: .*paper"):
        registry.get("strategies", "zzz")
    with pytest.raises(PluginError, match="pip install nas-surgery-torch") as refusal:
        registry.get("backends", "torch")
    assert "failed to load: plugin bad: ZeroDivisionError" in str(refusal.value)


OBSERVER = """
seen = []
def nas_surgery_on_event(event):
    seen.append(event.kind)
    if event.kind == "decision":
        raise {error}
"""


@pytest.mark.parametrize("error", ["ValueError('no')", "SystemExit(1)"])
def test_an_observer_that_raises_is_reported_and_heeded_no_less(file, error):
    """Every other observer is told, and so is the faulty one of the next event."""
    quiet = "seen = []\ndef nas_surgery_on_event():\n    seen.append(None)"
    paths = [file(OBSERVER.format(error=error)), file(quiet, "quiet.py")]
    registry = load_registry(paths)
    decision, finished = Event("decision", 0.0), Event("run_finished", 0.0)
    (failure,), stop = registry.notify(decision)
    assert failure.startswith("plugin mine.py: ")
    assert not stop
    assert registry.notify(finished) == ([], False)
    modules = dict(registry._manager.list_name_plugin())
    assert modules["mine.py"].seen == ["decision", "run_finished"]
    assert len(modules["quiet.py"].seen) == 2


def run(plugin, out=None):
    """A short run with a single-file plugin."""
    settings = {"strategy": "paper", "max_epochs": 4, "initial_epochs": 2, "epoch_step": 2}
    settings |= {"retraining_batches": 2}
    data = {"source": "sklearn:iris"}
    spec = {"plugins": [str(plugin)], "data": data, "network": {"hidden": [5]}, "search": settings}
    return ns.run(spec, out=out)


OPERATION = """
import attrs, numpy as np
from nas_surgery import Context, Operation, Proposal
from nas_surgery.operations import Identity

@attrs.frozen
class Mine(Operation):
    name = "mine"
    count: int = 1

    def apply(self, network, context=Context()):
        {apply}

    @classmethod
    def propose(cls, network, analysis):
        {propose}

    def parameters_after(self, network):
        return network.parameter_count

def nas_surgery_operations():
    return {{"mine": Mine}}
"""


BREAKING = [
    # what apply does, what propose does, the reason that is given
    ("raise ValueError('broken')", "return [Proposal(cls(), 1.0, '')]", "ValueError: broken"),
    ("raise SystemExit(3)", "return [Proposal(cls(), 1.0, '')]", "SystemExit: 3"),
    ("return network", "return [Proposal(cls(), 1.0, '')]", "apply must return a Surgery"),
    ("raise ValueError", "raise ValueError('no idea')", "ValueError: no idea"),
    ("raise ValueError", "raise SystemExit(3)", "SystemExit: 3"),
    ("raise ValueError", "return [Proposal(cls(), float('nan'), '')]", "score must be"),
    ("raise ValueError", "return 3", "TypeError"),
]
LATER = (
    "if network.layers[0].kind == 'normalize': "  # the network of a run, not the one of the trial
)


@pytest.mark.parametrize(("apply", "propose", "reason"), BREAKING)
def test_an_operation_that_breaks_in_mid_run_fails_alone(file, apply, propose, reason):
    """The run ends well; plugin, version, reason and traceback are in the journal."""
    text = OPERATION.format(
        apply=f"{LATER}{apply}\n        return Identity().apply(network)",
        propose=f"{LATER}{propose}\n        return []",
    )
    records = run(file(text)).history
    faults = [fault for record in records for fault in record.get("faults", ())]
    faults += [record["failure"] for record in records if record.get("failure")]
    assert faults
    for fault in faults:
        assert reason in fault["reason"]
        assert fault["plugin"].startswith("mine.py sha256:")
        assert fault["traceback"].startswith("Traceback")


@pytest.mark.parametrize(("apply", "propose", "reason"), BREAKING)
def test_an_operation_that_breaks_at_once_is_refused_before_the_run(
    tmp_path, file, apply, propose, reason
):
    """It costs no training, and nothing is written."""
    plugin = file(OPERATION.format(apply=apply, propose=propose))
    with pytest.raises(PluginError) as refusal:
        run(plugin, out=tmp_path / "out")
    assert reason in str(refusal.value)
    assert "plugin mine.py sha256:" in str(refusal.value)
    assert not (tmp_path / "out").exists()


def test_an_operation_may_refuse_a_network_that_does_not_suit_it(file):
    """With an OperationError, in a trial as in a run: that is no fault of the plugin."""
    refusing = "from nas_surgery.errors import OperationError; raise OperationError('too small')"
    text = OPERATION.format(apply=refusing, propose="return [Proposal(cls(), 1.0, '')]")
    failures = [r["failure"] for r in run(file(text)).history if r.get("failure")]
    assert {failure["reason"] for failure in failures} == {"OperationError: too small"}


def spec_of(**search):
    settings = {"max_epochs": 2, **search}
    return ns.Spec.from_dict({"data": {"source": "sklearn:iris"}, "search": settings})


@pytest.mark.parametrize(
    ("search", "wanted"),
    [
        ({"strategy": "paper"}, {"identity", "add_neurons"}),
        ({"strategy": "default"}, {"identity", "add_neurons"}),
        ({"strategy": "paper", "operations": ("identity", "mine")}, {"identity", "mine"}),
    ],
)
def test_an_installed_operation_changes_no_experiment(installed, search, wanted):
    """Unless the spec names it: a run is the same, and goes on, wherever it comes or goes."""
    installed(own=OPERATION.format(apply="return Identity().apply(network)", propose="return []"))
    found = prepare(spec_of(**search)).operations
    assert wanted <= set(found)
    assert ("mine" in found) == ("mine" in wanted)


def test_the_papers_strategy_draws_from_the_papers_operations():
    """So that one more in the core changes no published experiment."""
    assert set(prepare(spec_of(strategy="paper")).operations) == set(PaperStrategy.draws)


def test_an_operation_from_a_file_that_the_spec_names_is_drawn_by_the_papers_strategy(file):
    """Its file is in the spec, so that the experiment is the same everywhere."""
    text = OPERATION.format(apply="return Identity().apply(network)", propose="return []")
    spec = attrs.evolve(spec_of(strategy="paper"), plugins=(str(file(text)),))
    assert "mine" in prepare(spec).operations


@pytest.mark.parametrize("number", ["np.int64(3)", "np.float32(0.5)", "(1, 2)"])
def test_numbers_of_numpy_in_an_operation_do_not_stop_the_run(file, number):
    """A plugin writes `count=np.argmax(...)` sooner or later; the journal holds plain numbers."""
    propose = f"return [Proposal(cls({number}), 1.0, '')]"
    apply = "return Identity().apply(network)"
    history = run(file(OPERATION.format(apply=apply, propose=propose))).history
    jobs = [record for record in history if record["record"] == "job"]
    tried = [job["operations"][0] for job in jobs if job["operations"]]
    assert "mine" in [operation["name"] for operation in tried]


def test_every_hook_has_an_example():
    """The docstrings of hookspecs are the reference."""
    for name in dir(hookspecs):
        if name.startswith("nas_surgery_"):
            text = getattr(hookspecs, name).__doc__
            assert "Example::" in text
            assert f"def {name}(" in text
