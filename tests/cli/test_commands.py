import json
import os
import pty
import subprocess
import sys
from itertools import takewhile

import numpy as np
import pytest

import nas_surgery as ns
from nas_surgery.cli import main
from nas_surgery.formats.onnx.comparison import Agreement
from nas_surgery.formats.onnx.importing import read_metadata
from nas_surgery.testing.command import call

SPEC = """
[data]
source = "sklearn:iris"
[network]
hidden = [6]
[training]
learning_rate = 0.1
[search]
strategy = "paper"
max_epochs = 4
initial_epochs = 2
epoch_step = 2
retraining_batches = 2
"""
COMMAND = [sys.executable, "-m", "nas_surgery"]


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A working directory with a short spec."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "spec.toml").write_text(SPEC)
    return tmp_path


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A finished run."""
    folder = tmp_path_factory.mktemp("cli")
    (folder / "spec.toml").write_text(SPEC)
    assert call("run", folder / "spec.toml", "--out", folder / "out")[0] == 0
    return folder / "out"


def test_run_warns_of_a_doubtful_export(here, monkeypatch):
    """In a line of the report and of `inspect`; the run is a success all the same."""
    agreement = Agreement(0.5, 1e-6, True)
    monkeypatch.setattr("nas_surgery.runs.writing.compare_onnx", lambda *_: agreement)
    code, out, _ = call("run", "spec.toml", "--out", "out")
    assert code == 0
    (line,) = [line for line in out.splitlines() if line.startswith("warning")]
    assert line == f"warning   winner.onnx: {agreement}"
    assert f"warning: winner.onnx: {agreement}" in call("inspect", "out")[1]


def test_run_reports_the_winner_its_cost_and_where_it_is(here):
    """On standard output, with exit code 0; nothing on standard error when it is no terminal."""
    code, out, err = call("run", "spec.toml", "--out", "out", "--baseline")
    summary = json.loads((here / "out" / "summary.json").read_text())
    assert (code, err) == (0, "")
    task, winner, baseline, cost, written = out.splitlines()
    assert task == "task      3 classes: 0, 1, 2"
    assert winner.startswith("winner ")
    assert f"{summary['parameters']['end']:,} parameters" in winner
    assert f"test {summary['accuracy']['test']:.4f}" in winner
    assert baseline.startswith("baseline ")
    assert f"test {summary['baseline']['accuracy']['test']:.4f}" in baseline
    assert f"{summary['cost']['epoch_equivalents']:.0f} epochs" in cost
    assert written.split() == ["written", "out"]


def test_options_override_the_spec(here):
    """Each of them; the resolved spec says so."""
    options = ["--seed", 7, "--backend", "numpy", "--device", "auto"]
    options += ["--set", "search.max_epochs=2", "--set", "training.optimizer=adam"]
    assert call("run", "spec.toml", "--out", "out", "--quiet", *options)[0] == 0
    spec = ns.Spec.from_toml(here / "out" / "spec.toml")
    assert (spec.seed, spec.training.backend, spec.training.device) == (7, "numpy", "auto")
    assert (spec.search.max_epochs, spec.training.optimizer) == (2, "adam")


def test_without_out_runs_are_numbered(here):
    """Below runs/, after the spec's name."""
    for number in (1, 2):
        code, out, _ = call("run", "spec.toml", "--set", "search.max_epochs=1")
        assert code == 0
        assert f"written   {os.path.join('runs', f'spec-{number}')}\n" in out
    assert sorted(path.name for path in (here / "runs").iterdir()) == ["spec-1", "spec-2"]


X = np.random.default_rng(0).uniform(size=(30, 3))
Y = np.arange(30) % 3
MISSPELT = "def nas_surgery_score():\n    return {}"
BAD = [
    # how the spec goes on, further options, what the message names
    ("[search]\nmax_epoch = 3", (), ["spec.toml", "'search.max_epoch'", "'search.max_epochs'"]),
    ("sed = 1", (), ["spec.toml", "'sed'", "did you mean 'seed'"]),
    ("[search]\nmax_epochs = '3'", (), ["spec.toml", "search.max_epochs", "must be a whole number"]),
    ("[training]\nlearning_rate = true", (), ["spec.toml", "training.learning_rate", "a number"]),
    ("[data]\nsource = 'npz:missing.npz'", (), ["spec.toml", "missing.npz", "No such file"]),
    ("[data]\nsource = 'npz:labels.npz'", (), ["spec.toml", "labels.npz", "30 different whole numbers as labels"]),
    ("[data]\nsource = 'npz:nan.npz'", (), ["spec.toml", "nan.npz", "1 of the inputs is NaN", "row 2, column 1"]),
    ("[data]\nsource = 'npz:shapes.npz'", (), ["spec.toml", "shapes.npz", "30 inputs but labels of shape (4,)"]),
    ("[data]\nsource = 'npz:good.npz'\nvalidation = 0.01", (), ["spec.toml", "validation = 0.01", "empty"]),
    ("[data]\nsource = 'npz:good.npz'\nvalidation = 0", (), ["spec.toml", "data.validation", "≥ 1"]),
    ("[data]\nsource = 'npz:good.npz'\n[search]\nexclude = [9]", (), ["spec.toml", "search.exclude", "layer 9 is not there"]),
    ("plugins = ['misspelt.py']", (), ["spec.toml", "misspelt.py", "nas_surgery_score is not a hook", "nas_surgery_scores"]),
    ("plugins = ['missing.py']", (), ["spec.toml", "missing.py", "No such file"]),
    ("[data]\nsource = 'npz:good.npz'\n[network]\nfile = 'missing.onnx'", (), ["spec.toml", "missing.onnx", "No such file"]),
    ("[data]\nsource = 'npz:good.npz'\n[network]\nfile = 'spec.toml'", (), ["spec.toml", "suffix must be one of .safetensors, .onnx"]),
    ("[search]\nstrategy = 'papr'", (), ["spec.toml", "search.strategy", "did you mean 'paper'"]),
    ("", ("--set", "search.max_epochs=0"), ["--set search.max_epochs=0: ", "≥ 1"]),
    ("", ("--set", "search.max_epoch=3"), ["--set search.max_epoch=3: ", "did you mean 'search.max_epochs'"]),
    ("", ("--set", "search.strategy=papr"), ["--set search.strategy=papr: ", "did you mean 'paper'"]),
    ("seed = 1", ("--set", "seed.x=1"), ["--set seed.x=1: ", "seed is not a table"]),
    ("", ("--set", "data.source=npz:missing.npz"), ["--set data.source=npz:missing.npz: ", "No such file"]),
    ("sed = 1", ("--set", "search.max_epochs=3"), ["spec.toml: ", "'sed'"]),
    ("[training]\nrho = 0.5", ("--set", "training.optimizer=sgd"), ["spec.toml: ", "training.rho"]),
    ("", ("--set", "nonsense"), ["--set", "KEY=VALUE is needed"]),
    ("", ("--seed", "-1"), ["--seed -1: ", "≥ 0"]),
    ("", ("--backend", "nunpy"), ["--backend nunpy: training.backend", "did you mean 'numpy'"]),
    ("", ("--device", "cuda"), ["--device cuda: training.device", "'cuda'", "cpu"]),
    ("", (), ["spec.toml", "data.source is needed"]),
    ("seed =", (), ["spec.toml", "not valid TOML"]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "options", "parts"), BAD)
def test_bad_input_ends_in_one_line_and_exit_code_2(here, text, options, parts):
    """File, key and rule are named; nothing is written, not even a directory."""
    (here / "spec.toml").write_text(text)
    (here / "misspelt.py").write_text(MISSPELT)
    np.savez(here / "good.npz", x_train=X, y_train=Y)
    np.savez(here / "labels.npz", x_train=X, y_train=np.arange(30))
    np.savez(here / "nan.npz", x_train=np.where(X[2, 1] == X, np.nan, X), y_train=Y)
    np.savez(here / "shapes.npz", x_train=X, y_train=Y[:4])
    before = sorted(here.rglob("*"))
    code, out, err = call("run", "spec.toml", "--out", "out", *options)
    assert (code, out) == (2, "")
    assert err.startswith("nas-surgery: error: ")
    assert err.count("\n") == 1
    for part in parts:
        assert part in err
    assert sorted(here.rglob("*")) == before


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (("run", "missing.toml"), "missing.toml"),
        (("run", "spec.toml", "--out", "spec.toml"), "spec.toml"),
        (("run", "spec.toml", "--out", "spec.toml/out"), "spec.toml/out"),
        (("inspect", "missing.onnx"), "missing.onnx"),
        (("inspect", "spec.toml"), "spec.toml"),
        (("inspect", "."), "."),
        (("export", ".", "-o", "out.onnx"), "."),
        (("export", "missing.safetensors", "-o", "out.onnx"), "missing.safetensors"),
    ],
)
def test_files_that_do_not_serve_are_named(here, arguments, name):
    """With exit code 2 and one line."""
    code, out, err = call(*arguments)
    assert (code, out) == (2, "")
    assert err.startswith(f"nas-surgery: error: {name}: ")
    assert err.count("\n") == 1
    assert [path.name for path in here.iterdir()] == ["spec.toml"]


def test_a_run_that_is_there_is_refused(finished):
    """Nothing of it is overwritten."""
    before = (finished / "journal.jsonl").read_bytes()
    code, _, err = call("run", finished / "spec.toml", "--out", finished)
    assert code == 2
    assert "holds a run already" in err
    assert (finished / "journal.jsonl").read_bytes() == before


def test_a_run_without_a_valid_network_ends_with_exit_code_1(here):
    """So that a script can tell it from wrong input."""
    text = SPEC.replace("sklearn:iris", "sklearn:diabetes").replace("0.1", "1e20")
    (here / "spec.toml").write_text(text)
    code, out, err = call("run", "spec.toml", "--out", "out")
    assert (code, out) == (1, "")
    assert "no valid network" in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("suffix", [".safetensors", ".onnx", None])
def test_inspect_shows_layers_spectra_and_ranked_proposals(finished, tmp_path, suffix):
    """Of a file of either kind, and of a run's winner."""
    network = ns.Network.dense(4, (6, 5), 3)
    if suffix is None:
        target, network = finished, ns.load(finished / "winner.safetensors")
    else:
        target = tmp_path / f"model{suffix}"
        ns.save(network, target)
    code, out, err = call("inspect", target)
    assert (code, err) == (0, "")
    assert network.summary() in out
    for group in network.groups():
        assert f"layer {group.writers[0]}  {group.size} units" in out
    assert any(bar in out for bar in "▁▂▃▄▅▆▇█") == bool(network.groups())
    assert "identity" in out
    if network.groups():
        lines = out.splitlines()
        start = next(
            i for i, line in enumerate(lines) if line.split()[:2] == ["score", "parameters"]
        )
        rows = [line.split() for line in takewhile(str.strip, lines[start + 1 :])]
        keys = [(-float(row[0]), int(row[1].replace(",", ""))) for row in rows if row[0][0] in "01"]
        assert len(keys) > 5
        assert keys == sorted(keys), "by score, then fewer parameters"


def test_inspect_of_a_run_tells_how_it_ended_and_lists_its_front(finished):
    """Every network of the front with its size, which `export --parameters` takes."""
    summary = json.loads((finished / "summary.json").read_text())
    _, out, _ = call("inspect", finished)
    assert "stopped: finished" in out
    _, _, table = out.partition("Front of all trained networks")
    assert summary["pareto"]
    for point in summary["pareto"]:
        row = next(line for line in table.splitlines() if f" {point['parameters']:,} " in line)
        assert row.split()[1:3] == [f"{round(point['epochs'], 2):g}", f"{point['loss']:.4f}"]


def test_inspect_of_a_run_without_a_result_says_how_to_go_on(finished, tmp_path):
    """And shows what the journal holds of damage."""
    for name in ("journal.jsonl", "spec.toml"):
        (tmp_path / name).write_bytes((finished / name).read_bytes())
    code, out, _ = call("inspect", tmp_path)
    assert code == 0
    assert out.startswith("The run has no result yet; go on with: nas-surgery resume ")
    assert "Damage before any retraining" in out


def test_a_directory_without_a_run_is_no_model(tmp_path):
    """In one line."""
    code, _, err = call("inspect", tmp_path)
    assert (code, err) == (2, f"nas-surgery: error: {tmp_path}: a directory without a run\n")


@pytest.mark.parametrize("name", ["out.onnx", "out.safetensors"])
def test_export_writes_the_winner_in_another_form(finished, tmp_path, name):
    """With the metadata that the run gave it."""
    code, out, _ = call("export", finished, "-o", tmp_path / name)
    assert code == 0
    assert str(tmp_path / name) in out
    assert ns.load(tmp_path / name).equals(ns.load(finished / "winner.safetensors"))
    if name == "out.onnx":
        assert (tmp_path / name).read_bytes() == (finished / "winner.onnx").read_bytes()


def test_export_translates_between_files(finished, tmp_path):
    """To and fro; metadata stay with ONNX."""
    back, again = tmp_path / "back.safetensors", tmp_path / "again.onnx"
    assert call("export", finished / "winner.onnx", "-o", back)[0] == 0
    assert back.read_bytes() == (finished / "winner.safetensors").read_bytes()
    assert call("export", finished / "winner.onnx", "-o", again)[0] == 0
    assert read_metadata(again.read_bytes()) == read_metadata(
        (finished / "winner.onnx").read_bytes()
    )


def test_export_refuses_other_suffixes(finished, tmp_path):
    """And writes nothing."""
    code, _, err = call("export", finished, "-o", tmp_path / "out.pt")
    assert code == 2
    assert "suffix must be one of .safetensors, .onnx" in err
    assert list(tmp_path.iterdir()) == []


def test_plugins_lists_the_built_ins():
    """With their version; each kind by name."""
    code, out, _ = call("plugins")
    assert code == 0
    assert out.startswith(
        f"nas_surgery.builtin {ns.__version__} (built in)\n  operations: identity, "
    )
    assert "  scores: paper" in out


def test_a_winner_that_learned_nothing_is_warned_of(here):
    """A learning rate that kills every unit leaves a network that always gives the same answer."""
    settings = ["--set", "training.learning_rate=30.0"]
    code, out, _ = call("run", "spec.toml", "--out", "dead", *settings)
    summary = json.loads((here / "dead" / "summary.json").read_text())
    assert code == 0
    assert summary["chance"] == pytest.approx(1 / 3, abs=0.05)
    assert out.splitlines()[-1].startswith("warning ")
    assert "warning" not in call("run", "spec.toml", "--out", "alive")[1]


@pytest.mark.parametrize("arguments", [("--zzz",), ("zzz",), ("run",), ("run", "s", "--seed", "x")])
def test_wrong_usage_is_one_line_and_exit_code_2(arguments):
    """With the command that says what would be right."""
    code, _, err = call(*arguments)
    assert code == 2
    assert err.startswith("nas-surgery: error: ")
    assert err.count("\n") == 1
    assert err.endswith("--help\n")


def test_no_command_at_all_shows_the_commands():
    """Exit code 2, since nothing was done."""
    code, _, err = call()
    assert code == 2
    assert "Usage: " in err


@pytest.mark.parametrize("arguments", [("--help",), ("run", "-h"), ("--version",)])
def test_help_is_no_error(arguments):
    """On standard output."""
    code, out, err = call(*arguments)
    assert (code, err) == (0, "")
    assert out


def test_every_command_and_option_says_what_it_is_for():
    """A help text of its own."""
    for name, command in main.commands.items():
        assert command.help, name
        for parameter in command.params:
            if parameter.param_type_name == "option":
                assert parameter.help, (name, parameter.name)


def test_a_process_is_quiet_when_piped(here):
    """As a script sees it: the report on standard output alone."""
    done = subprocess.run(
        [*COMMAND, "run", "spec.toml", "--out", "out"], capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    words = [line.split()[0] for line in done.stdout.splitlines()]
    assert words == ["task", "winner", "cost", "written"]


def test_a_person_can_follow_on_a_terminal(here):
    """Epoch, branches, the candidate being tried, accuracy, parameters; with --quiet nothing."""
    for quiet in (False, True):
        controller, terminal = pty.openpty()
        options = ["--out", f"out-{quiet}", *(["--quiet"] if quiet else [])]
        environment = {**os.environ, "TERM": "xterm", "COLUMNS": "200"}
        with subprocess.Popen(
            [*COMMAND, "run", "spec.toml", *options],
            stdout=subprocess.PIPE,
            stderr=terminal,
            env=environment,
        ) as process:
            os.close(terminal)
            shown = _read_all(controller)
            printed = process.stdout.read().decode()
            assert ("winner" in printed) == (not quiet)
        assert process.returncode == 0
        if quiet:
            assert shown == ""
        else:
            for part in ("epoch", "branches", "trying", "accuracy", "parameters", "pretrain"):
                assert part in shown, part


def _read_all(controller):
    """What a terminal got until its other end was closed."""
    content = b""
    while True:
        try:
            part = os.read(controller, 4096)
        except OSError:
            part = b""
        if not part:
            os.close(controller)
            return content.decode()
        content += part


def test_a_reader_that_goes_away_ends_it_quietly(here):
    """`nas-surgery inspect … | head -1` prints no traceback."""
    ns.save(ns.Network.dense(64, (50,) * 40, 3), here / "model.safetensors")
    command = f"{sys.executable} -m nas_surgery inspect model.safetensors | head -1"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
    assert done.stdout.count("\n") == 1
    assert done.stderr == ""


def printed(*arguments):
    """The one JSON object that a command prints."""
    code, out, err = call(*arguments, "--json")
    assert (code, err) == (0, "")
    return json.loads(out)


def test_json_of_a_run_is_its_summary(here):
    """And where it is; the same when it is resumed, and with --quiet."""
    found = printed("run", "spec.toml", "--out", "out")
    summary = json.loads((here / "out" / "summary.json").read_text())
    assert found == {**summary, "directory": "out"}
    again = printed("resume", "out", "--quiet")
    del found["cost"]["seconds"], again["cost"]["seconds"]
    assert again == found


OF_NETWORKS = ("network", "layers", "groups", "left_alone", "proposals")


def test_json_of_inspect(finished, tmp_path):
    """Of a run everything, of a file what its weights say, of runs how well damage was predicted."""
    found = printed("inspect", finished)
    assert set(found) == {*OF_NETWORKS, "run", "timeline", "damage"}
    network = ns.load(finished)
    assert found["network"]["parameters"] == network.parameter_count
    assert [layer["units"] for layer in found["layers"]] == list(network.hidden)
    assert {proposal["operation"]["name"] for proposal in found["proposals"]} >= {"identity"}
    assert found["run"] == json.loads((finished / "summary.json").read_text())
    of_file = printed("inspect", finished / "winner.onnx")
    assert of_file == {key: found[key] for key in OF_NETWORKS}
    assert set(printed("inspect", finished.parent)) == {"damage"}


def test_json_of_export_and_operate(finished, tmp_path):
    """What was written, its size, and what each operation promises."""
    file, edited = tmp_path / "start.onnx", tmp_path / "edited.onnx"
    found = printed("export", finished / "start.safetensors", "-o", file)
    assert found["output"] == str(file)
    assert found["network"]["hidden"] == [6]
    found = printed(
        "operate", file, "--op", "add_neurons:layer=1,count=2,method=zero", "-o", edited
    )
    assert found["network"]["hidden"] == [8] == list(ns.load(edited).hidden)
    (step,) = found["operations"]
    assert step["operation"]["name"] == "add_neurons"
    assert step["exactness"] == "proved"


def test_json_of_plugins():
    """The names by kind, and None where nothing failed."""
    first = printed("plugins")["plugins"][0]
    assert first["name"] == "nas_surgery.builtin"
    assert "paper" in first["provides"]["strategies"]
    assert first["error"] is None


def test_with_json_an_error_leaves_standard_output_empty(here):
    """So that no reader takes half of it for a result."""
    for arguments in (("run", "nowhere.toml"), ("inspect", "nowhere.onnx"), ("resume", "nowhere")):
        code, out, err = call(*arguments, "--json")
        assert (code, out, err.count("\n")) == (2, "", 1)


def test_quiet_is_quiet(here):
    """Nothing on either stream, warnings included; errors are still said."""
    options = ["--set", "run.workers=2", "--quiet"]
    assert call("run", "spec.toml", "--out", "out", *options) == (0, "", "")
    assert call("resume", "out", "--quiet") == (0, "", "")
    code, out, err = call("run", "spec.toml", "--out", "out", "--quiet")
    assert (code, out) == (2, "")
    assert "holds a run already" in err


@pytest.mark.parametrize("kind", ["file", "folder", "dangling link"])
def test_an_output_that_is_there_is_kept(finished, tmp_path, kind):
    """Unless --force is given; what it is makes no difference."""
    out = tmp_path / "out.safetensors"
    if kind == "file":
        out.write_bytes(b"mine")
    elif kind == "folder":
        out.mkdir()
    else:
        out.symlink_to(tmp_path / "nowhere")
    for command in (["export"], ["operate", "--op", "identity"]):
        code, _, err = call(*command, finished / "winner.onnx", "-o", out)
        assert (code, err.count("\n")) == (2, 1)
        assert "is there already; --force overwrites it" in err
    if kind == "file":
        assert out.read_bytes() == b"mine"
        assert call("export", finished / "winner.onnx", "-o", out, "--force")[0] == 0
        assert ns.load(out).equals(ns.load(finished))
        assert call("operate", out, "--op", "identity", "-o", out, "--force")[0] == 0


def test_what_is_set_and_not_used_is_said(here):
    """On standard error, piped or not; in the summary, and in the events."""
    options = ["--set", "run.workers=2", "--set", "search.strategy=default"]
    options += ["--set", "search.score=paper"]
    (here / "spec.toml").write_text(SPEC.split("strategy")[0] + "max_epochs = 2")
    code, out, err = call("run", "spec.toml", "--out", "out", *options)
    first, second = err.splitlines()
    assert code == 0
    assert first.startswith("nas-surgery: warning: run.workers is set and not used: ")
    assert second.startswith("nas-surgery: warning: search.score is set and not used: ")
    assert "warning" not in out
    warnings = json.loads((here / "out" / "summary.json").read_text())["warnings"]
    assert [f"nas-surgery: warning: {text}" for text in warnings] == [first, second]
    lines = (here / "out" / "events.jsonl").read_text().splitlines()
    events = [json.loads(line) for line in lines]
    assert [event["text"] for event in events if event["kind"] == "warning"] == warnings
    assert call("resume", "out")[2] == "", "it was said"
    assert json.loads((here / "out" / "summary.json").read_text())["warnings"] == warnings
