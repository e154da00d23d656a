"""Whatever is printed, and wherever to: no traceback, and nothing that a terminal would obey."""

import ast
import json
import os
import subprocess
import sys
from io import StringIO
from pathlib import Path

import pytest
from click.testing import CliRunner
from rich.console import Console

import nas_surgery
import nas_surgery_command
from nas_surgery.cli import main
from nas_surgery.network.text import one_line, printable
from nas_surgery.plugins.events import Event
from nas_surgery.reports.progress import Progress

PACKAGE = Path(nas_surgery.__file__).parent
COMMAND = [sys.executable, "-m", "nas_surgery"]
FULL = Path("/dev/full")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("R² 0.5 → naïve 漢字\nε", "R² 0.5 → naïve 漢字\nε"),
        ("\x1b[2Jgone\x07", "\\x1b[2Jgone\\x07"),
        ("caf\udce9", "caf\\udce9"),
        ("a\u202eb\u2028c\x85d\x9bm\te\r", "a\\u202eb\\u2028c\\x85d\\x9bm\\te\\r"),
    ],
)
def test_what_a_terminal_would_obey_is_escaped(text, shown):
    """And what it cannot show; letters of any script are as they were."""
    assert printable(text) == shown


def test_a_line_is_one_line():
    """Whatever ends lines somewhere."""
    assert one_line("a\nb\r\n c") == "a b c"


def test_commands_print_in_one_way_alone():
    """Every `click.echo` and `print` of the package is in `printing.py`, but for what a child tells its parent."""
    for file in PACKAGE.rglob("*.py"):
        if file.name == "printing.py" or file.parent.name == "onnx":
            continue
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            called = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
            assert called not in ("print", "click.echo", "sys.stdout.write", "sys.stderr.write"), (
                file
            )


def shown_of(*events):
    """What a terminal gets."""
    text = StringIO()
    console = Console(file=text, force_terminal=True, width=200, highlight=False, soft_wrap=True)
    with Progress(shown=True, console=console) as progress:
        for kind, data in events:
            progress(Event(kind, 0.0, data))
    return text.getvalue()


def test_brackets_and_escapes_in_a_reason_are_shown_as_they_are():
    """They are neither markup, which may be wrong, nor orders to the terminal."""
    failure = {"reason": "KeyError: '[/b]' [red]x :smile: \x1b[2J"}
    started = {"operations": [{"name": "[/odd]"}], "purpose": "[/x]"}
    finished = {"job": 3, "failure": failure}
    failed = {"plugin": "[/p]", "reason": "[/q]"}
    text = shown_of(("job_started", started), ("job_finished", finished), ("plugin_failed", failed))
    assert "job 3 failed: KeyError: '[/b]' [red]x :smile: \\x1b[2J" in text
    assert "trying [/odd]" in text
    assert "[/p] [/q]" in text


def test_progress_shows_where_a_long_job_stands():
    """Its epoch and training loss, until another job begins."""
    started = {"operations": [], "purpose": "baseline"}
    epoch = {"job": None, "epoch": 7.0, "training_loss": 0.25}
    with Progress(console=Console(file=StringIO(), force_terminal=True)) as progress:
        (task,) = progress._bars.tasks
        progress(Event("job_started", 0.0, started))
        progress(Event("epoch", 0.0, epoch))
        assert task.description == "training (baseline), epoch 7, training loss 0.2500"
        progress(Event("job_started", 0.0, {**started, "purpose": "branch"}))
        assert task.description == "training (branch)"


def test_a_name_that_is_no_text_is_named_in_an_error(tmp_path, monkeypatch):
    """A byte that is no UTF-8, in one line."""
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(main, ["inspect", os.fsdecode(b"caf\xe9\x1b[2J.onnx")])
    assert result.exit_code == 2
    assert result.stderr == (
        "nas-surgery: error: caf\\udce9\\x1b[2J.onnx: No such file or directory\n"
    )


@pytest.mark.parametrize("seed", ["-1", str(2**63)])
def test_a_seed_out_of_range_is_wrong_usage(seed):
    """As it is in a spec."""
    command = ["operate", "a.onnx", "--op", "identity", "-o", "b.onnx", "--seed", seed]
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 2
    assert "Invalid value for '--seed'" in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.skipif(not FULL.exists(), reason="needs /dev/full")
@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("arguments", [["plugins"], ["--help"], ["--version"]])
def test_an_output_that_takes_no_more_is_one_line(arguments, unbuffered):
    """And exit code 1; so is the interpreter's own last write."""
    environment = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    with FULL.open("w") as full:
        done = subprocess.run(
            [*COMMAND, *arguments],
            env=environment,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert done.returncode == 1
    assert done.stderr.startswith("nas-surgery: error: ")
    assert done.stderr.endswith("No space left on device\n")
    assert done.stderr.count("\n") == 1


def shell(line, **options):
    """A line of a shell that calls `$NAS`."""
    return subprocess.run(
        ["sh", "-c", line.replace("$NAS", " ".join(COMMAND))],
        capture_output=True,
        text=True,
        **options,
    )


@pytest.mark.parametrize(
    "redirection",
    ["2>&-", pytest.param("2>/dev/full", marks=pytest.mark.skipif(not FULL.exists(), reason=""))],
)
def test_without_standard_error_a_command_ends_as_ever(redirection):
    """With its exit code, be it an error or not; nothing lands elsewhere."""
    assert shell(f"$NAS inspect nowhere.onnx {redirection}").returncode == 2
    done = shell(f"$NAS plugins {redirection}")
    assert (done.returncode, done.stdout[:19]) == (0, "nas_surgery.builtin")


def test_closed_streams_give_their_numbers_to_no_file(tmp_path):
    """A file opened first would otherwise be number 2, and get what libraries print there."""
    code = (
        "import nas_surgery_command as c; c.open_streams(); import os, sys;"
        f"f = open({str(tmp_path / 'file')!r}, 'w'); os.write(2, b'noise'); os.write(1, b'noise');"
        "f.write(str(f.fileno() > 2)); print('x'); print('y', file=sys.stderr)"
    )
    done = subprocess.run(["sh", "-c", f'exec {sys.executable} -c "{code}" 0<&- 1>&- 2>&-'])
    assert done.returncode == 0
    assert (tmp_path / "file").read_text() == "True"


def test_an_encoding_that_lacks_letters_is_no_error():
    """They are escaped."""
    done = shell("PYTHONIOENCODING=ascii PYTHONPATH=$PYTHONPATH:. $NAS --help")
    assert done.returncode == 0
    command = "import nas_surgery.reports.printing as p; p.say('R² \\udcff')"
    done = subprocess.run(
        [sys.executable, "-c", command],
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout) == (0, "R\\xb2 \\udcff\n")


@pytest.mark.parametrize("module", ["click", "numpy"])
def test_ctrl_c_while_python_imports_is_one_line(tmp_path, module):
    """Exit code 130, as at any other time."""
    (tmp_path / f"{module}.py").write_text(
        "import os, signal, time\nos.kill(os.getpid(), signal.SIGINT)\ntime.sleep(5)\n"
    )
    heed = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"  # in CI too
    begin = f"{heed}; import sys; sys.path.insert(0, {str(tmp_path)!r}); import nas_surgery_command as c"
    done = subprocess.run(
        [sys.executable, "-c", f"{begin}; c.main()", "plugins"], capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (130, "")
    assert done.stderr == "nas-surgery: stopped by SIGINT\n"


def test_the_command_imports_nothing_before_it_heeds_ctrl_c():
    """Its module lies outside the package, whose import takes its time."""
    tree = ast.parse(Path(nas_surgery_command.__file__).read_text(encoding="utf-8"))
    imported = [
        ast.unparse(node) for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)
    ]
    assert imported == ["import os", "import sys"]


def test_a_summary_cannot_order_the_terminal_about(tmp_path):
    """`inspect` shows the files of strangers; what they say is escaped."""
    evil = "\x1b]0;owned\x07"
    summary = {
        "strategy": evil,
        "data": {"source": evil},
        "seed": 0,
        "backend": evil,
        "stopped": evil,
        "metric": "accuracy",
        "accuracy": {"validation": 0.5},
        "loss": {"validation": 0.5},
        "cost": {"relative": 1.0, "seconds": 1.0},
        "pareto": [],
    }
    (tmp_path / "journal.jsonl").touch()
    (tmp_path / "summary.json").write_text(json.dumps(summary))
    result = CliRunner().invoke(main, ["inspect", str(tmp_path)])
    assert result.exit_code == 0, result.output
    assert "\\x1b]0;owned\\x07" in result.stdout
    assert "\x1b" not in result.stdout
