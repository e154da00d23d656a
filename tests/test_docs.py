"""The documents name everything that there is, and what they show runs.

In README.md, CONTRIBUTING.md, plugins/README.md and docs, blocks in ```python are run in order, in one
namespace and in an empty folder of each document; so are the lines in ```console, which all call nas-surgery. A block
that begins with a comment that names a file, such as `# my_score.py`, is written there instead.
"""

import re
import shlex
import shutil
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner

import nas_surgery
from nas_surgery.cli import main
from nas_surgery.network import FUNCTIONS, LAYERS
from nas_surgery.plugins import hookspecs
from nas_surgery.plugins.registry import default_registry
from nas_surgery.runs.spec import Spec

REPOSITORY = Path(nas_surgery.__file__).parents[1]
MUST_RUN = ("README.md", "CONTRIBUTING.md", "plugins/README.md")
ALL = sorted(
    file.relative_to(REPOSITORY)
    for pattern in ("*.md", "docs/**/*.md", "plugins/*.md", "plugins/*/*.md", "benchmarks/*.md")
    for file in REPOSITORY.glob(pattern)
)
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"# (\S+\.(?:py|toml))\n")


def text_of(*names):
    """Documents as one text; those that are not there are empty."""
    files = [file for name in names for file in REPOSITORY.glob(name)]
    return "\n".join(file.read_text(encoding="utf-8") for file in files)


def blocks(name):
    """(language, content) of every fenced block, in order."""
    return BLOCK.findall((REPOSITORY / name).read_text(encoding="utf-8"))


PAGES = [file.as_posix() for file in ALL if file.parts[0] == "docs"]
RUN = (*MUST_RUN, *(name for name in PAGES if {"python", "console"} & {*dict(blocks(name))}))
HOOKS = [name for name in dir(hookspecs) if name.startswith("nas_surgery_")]
GUIDE = text_of("CONTRIBUTING.md", "plugins/README.md")
REFERENCE = text_of("README.md", "docs/**/*.md")


def test_there_is_something_to_look_at():
    """A renamed document would silently pass."""
    assert len(HOOKS) >= 6
    assert len(RUN) > len(MUST_RUN)
    for name in MUST_RUN:
        assert (REPOSITORY / name).is_file()
        assert any(language == "python" for language, _ in blocks(name))


@pytest.mark.parametrize("hook", HOOKS)
def test_every_hook_is_documented(hook):
    """In CONTRIBUTING.md or plugins/README.md."""
    assert re.search(rf"\b{hook}\b", GUIDE)


OPERATIONS = default_registry().all("operations")


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_operation_is_documented(name):
    """Those of the core in README.md or docs, those of first-party plugins in plugins/README.md."""
    origin = default_registry().owner("operations", name).origin
    where = REFERENCE if origin == "built in" else GUIDE
    if origin == "built in" or origin.startswith("nas-surgery"):
        assert f"`{name}`" in where


@pytest.mark.parametrize("kind", ["strategies", "scores", "datasets", "backends", "executors"])
def test_everything_with_a_name_in_specs_is_documented(kind):
    """Strategies, scores, sources, backends and executors of the core are in README.md or docs."""
    registry = default_registry()
    for name in registry.names(kind):
        if registry.owner(kind, name).origin == "built in":
            assert re.search(rf"\b{name}\b", REFERENCE), f"{kind}: {name}"


def section(title):
    """A part of the reference."""
    return REFERENCE.split(f"\n## {title}\n")[1].split("\n## ")[0]


@pytest.mark.parametrize("kind", [*(layer.__name__ for layer in LAYERS.values()), *FUNCTIONS])
def test_every_layer_is_documented(kind):
    """And every activation, in the section on layers."""
    assert f"`{kind}`" in section("Layers")


def test_no_layer_is_documented_that_is_not_there():
    """Nor one that has gone."""
    rows = re.findall(r"^\| ((?:`\w+`(?:, )?)+) \|", section("Layers"), re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"\w+", row)}
    assert named == {layer.__name__ for layer in LAYERS.values()}


OPTIONS = [
    (command, option)
    for command, made in main.commands.items()
    for parameter in made.params
    if parameter.param_type_name == "option"
    for option in parameter.opts
]


def row(command):
    """The line about a command in the table of commands."""
    found = [
        line for line in REFERENCE.splitlines() if line.startswith(f"| `nas-surgery {command}")
    ]
    return "\n".join(found)


@pytest.mark.parametrize("command", main.commands)
def test_every_command_is_documented(command):
    """By a row of the table of commands."""
    assert row(command)


@pytest.mark.parametrize(("command", "option"), OPTIONS)
def test_every_option_is_documented(command, option):
    """In the row of its command."""
    assert re.search(rf"(?<![\w-]){option}(?![\w-])", row(command))


@pytest.mark.parametrize("command", main.commands)
def test_no_option_is_documented_that_is_not_there(command):
    """Nor one that has gone."""
    known = {option for name, option in OPTIONS if name == command}
    assert set(re.findall(r"(?<![\w-])--?[a-z][\w-]*", row(command))) <= known


def test_no_operation_is_documented_that_is_not_there():
    """The first column of the table of operations holds registered names."""
    named = re.findall(r"^\| `(\w+)` \|", section("Operations"), re.MULTILINE)
    assert len(named) > 5
    assert set(named) <= set(OPERATIONS)


@pytest.mark.parametrize("name", ALL, ids=str)
def test_links_lead_somewhere(name):
    """Relative ones, to files of the repository."""
    text = (REPOSITORY / name).read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#\s]+)", text):
        if "://" not in target:
            assert (REPOSITORY / name.parent / target).exists(), target


@pytest.mark.parametrize("name", ALL, ids=str)
def test_toml_blocks_are_valid(name):
    """And those with tables of a spec are specs."""
    for language, content in blocks(name):
        if language == "toml":
            values = tomllib.loads(content)
            if {"data", "network", "training", "search", "run"} & values.keys():
                Spec.from_dict(values)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of torch's exporter
@pytest.mark.parametrize("name", RUN)
def test_what_the_documents_show_runs(name, tmp_path, monkeypatch):
    """Python blocks without an exception, commands with exit code 0."""
    shutil.copytree(REPOSITORY / "specs", tmp_path / "specs")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    if any("import keras" in content for _, content in blocks(name)):
        nas_surgery.backend("tensorflow")  # set up as later tests in this process need it
        pytest.importorskip("torch").set_num_threads(1)  # they wait for each other where it is busy
    namespace = {"__name__": "example"}
    for language, content in blocks(name):
        if written := FILE.match(content):
            Path(written[1]).write_text(content, encoding="utf-8")
        elif language == "python":
            exec(compile(content, name, "exec"), namespace)
        elif language == "console":
            for line in content.splitlines():
                _call(line)


def _call(line):
    """Run one line of a console block in this process."""
    assert line.startswith("$ nas-surgery "), (
        f"only nas-surgery is run from documents, not {line!r}"
    )
    result = CliRunner().invoke(main, shlex.split(line)[2:])
    assert result.exit_code == 0, f"{line}\n{result.output}"


@pytest.mark.parametrize(
    "file", sorted((REPOSITORY / "specs").rglob("*.toml")), ids=lambda f: f.stem
)
def test_every_spec_of_the_repository_is_valid(file):
    """Keys and values; strategies' own keys too."""
    from nas_surgery.runs.preparation import make_strategy

    make_strategy(Spec.from_toml(file).search, default_registry())
