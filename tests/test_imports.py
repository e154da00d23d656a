"""Who may import whom, read from the source of every module.

The floors are those of ARCHITECTURE.md: its table lists every room, the highest first, and a room may
import only what stands below it.
"""

import ast
import importlib
import re
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import nas_surgery
from nas_surgery.strategies import STRATEGIES

PACKAGE = Path(nas_surgery.__file__).parent
REPOSITORY = PACKAGE.parent
FRAMEWORKS = {"torch", "tensorflow", "keras", "jax"}
CLOCK = {"time", "datetime", "timeit"}
DISK = {"os", "io", "pathlib", "shutil", "tempfile", "nas_surgery.formats", "safetensors"}
PROCESSES = {"subprocess", "multiprocessing", "threading", "concurrent", "signal", "asyncio"}
FACE = ("__init__", "__main__")  # of the package: they hand on what others made


def floors():
    """The rooms of ARCHITECTURE.md's table, floor by floor, the highest first."""
    text = (REPOSITORY / "ARCHITECTURE.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ((?:`[\w.]+/?`(?:, )?)+) \|", text, re.MULTILINE)
    return [tuple(re.findall(r"`(\w+)(?:\.py|/)?`", row)) for row in rows]


FLOORS = floors()
ROOMS = [room for floor in FLOORS for room in floor]
CORE = sorted(PACKAGE.rglob("*.py"))


def modules(part):
    """The files of a module or of a package of ours."""
    single = PACKAGE / f"{part}.py"
    return [single] if single.exists() else sorted((PACKAGE / part).rglob("*.py"))


def name_of(file):
    """The full name of a module of ours; a package's `__init__` has the package's."""
    parts = file.relative_to(REPOSITORY).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(file, *, only_runtime=False):
    """Full names of everything that a file imports, anywhere in it: modules, and what is taken of them.

    only_runtime: leave out what stands under `if TYPE_CHECKING`.
    """
    tree = ast.parse(file.read_text(encoding="utf-8"))
    hidden = set()
    if only_runtime:
        for node in ast.walk(tree):
            if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
                hidden |= {id(inner) for statement in node.body for inner in ast.walk(statement)}
    names = set()
    for node in ast.walk(tree):
        if id(node) in hidden:
            continue
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: imports are absolute"
            names |= {f"{node.module}.{alias.name}" for alias in node.names} | {node.module}
    return names


def within(name, *packages):
    """Whether a full name is one of the packages or lies in one."""
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def ours(file, **options):
    """What a file imports of ours, as full module names."""
    found = {name for name in imports(file, **options) if within(name, "nas_surgery")}
    return {name for name in found if name != "nas_surgery"}


def test_the_reader_of_imports_sees_them_all(tmp_path):
    """In functions too, under other names, and those for type checkers only on request."""
    file = tmp_path / "module.py"
    file.write_text(
        "import os.path as p\n"
        "from typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    from a.b import c\n"
        "def f():\n    from d import e as g\n"
    )
    assert imports(file) == {
        "os.path",
        "typing",
        "typing.TYPE_CHECKING",
        "a.b",
        "a.b.c",
        "d",
        "d.e",
    }
    assert imports(file, only_runtime=True) == imports(file) - {"a.b", "a.b.c"}


MODULES = {name_of(file): file for file in CORE}


def dependencies(file):
    """The modules of ours that a file imports, wherever and for whatever reason."""
    found = {_module(name) for name in ours(file)}
    return found - {None, name_of(file)}


def _module(name):
    """The module that a full name means: itself, or the one that it is taken from."""
    return name if name in MODULES else _module(name.rpartition(".")[0]) if "." in name else None


def room_of(module):
    """The room that a module stands in; empty for the package's own face."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 and parts[1] not in FACE else ""


def test_the_table_of_rooms_is_the_tree():
    """Every folder and module of the package stands in ARCHITECTURE.md once, and nothing else does."""
    there = {path.stem for path in PACKAGE.iterdir() if path.is_dir() or path.suffix == ".py"}
    there -= {*FACE, "__pycache__"}
    assert sorted(ROOMS) == sorted(there)


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_only_what_stands_below_it(room):
    """No import runs up, and rooms of one floor do not know each other."""
    height = next(i for i, floor in enumerate(FLOORS) if room in floor)
    below = {each for floor in FLOORS[height + 1 :] for each in floor}
    for file in modules(room):
        for module in dependencies(file):
            assert room_of(module) in {room, *below}, f"{file.name} imports {module}"


def _without_faces(file, found):
    """A package's face hands on what its files hold; a file of it imports these, not the face."""
    return found if file.stem == "__init__" else found - {"nas_surgery"}


def test_no_files_import_each_other_in_a_circle():
    """Not even for the type checker's sake: whatever two files share stands in a third."""
    graph = {name: _without_faces(file, dependencies(file)) for name, file in MODULES.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" → ".join(error.args[1]))


@pytest.mark.parametrize("room", [room for room in ROOMS if (PACKAGE / room).is_dir()])
def test_every_room_says_what_it_is(room):
    """In one sentence, at the head of its face."""
    head = ast.get_docstring(ast.parse((PACKAGE / room / "__init__.py").read_text()))
    assert head
    assert head.split("\n\n")[0].endswith(".")


def reached():
    """The modules of `strategies` that a strategy imports, directly or through others."""
    found, waiting = set(), [sys.modules[cls.__module__].__file__ for cls in STRATEGIES.values()]
    while waiting:
        file = Path(waiting.pop())
        if file in found or not file.exists() or PACKAGE / "strategies" not in file.parents:
            continue
        found.add(file)
        for name in ours(file, only_runtime=True):
            path = REPOSITORY / name.replace(".", "/")
            waiting += [path.with_suffix(".py"), path / "__init__.py"]
    return sorted(found)


def test_what_strategies_reach_is_found():
    """Their own modules and what these share."""
    assert {"paper", "strategy", "jobs", "topology"} <= {file.stem for file in reached()}


@pytest.mark.parametrize("file", reached(), ids=lambda file: file.stem)
def test_strategies_touch_no_clock_disk_process_or_framework(file):
    """So that a search can be replayed from its journal; nor does anything that they build on."""
    worldly = {
        "nas_surgery.training.backend",
        "nas_surgery.runs.runner",
        "nas_surgery.runs.preparation",
    }
    for name in imports(file, only_runtime=True):
        assert not within(name, *CLOCK, *DISK, *PROCESSES, *FRAMEWORKS, *worldly), name
    names = {
        node.id for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Name)
    }
    assert not names & {"open", "print", "exec", "eval"}


@pytest.mark.parametrize("file", modules("operations") + modules("surgery"), ids=lambda f: f.stem)
def test_surgery_draws_no_randomness_of_its_own(file):
    """Every draw comes from a keyed generator that is handed in; nothing is global."""
    text = file.read_text(encoding="utf-8")
    assert "import random" not in text
    for call in ("default_rng", "np.random.seed", "np.random.normal", "np.random.rand"):
        assert call not in text


@pytest.mark.parametrize("file", CORE, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_the_core_imports_no_framework(file):
    """Neither torch nor tensorflow, not even inside a function; nor any backend or test."""
    for name in imports(file):
        assert not within(name, *FRAMEWORKS, "nas_surgery_torch", "nas_surgery_tensorflow"), name
        if "testing" not in file.relative_to(PACKAGE).parts:
            assert not within(name, "pytest", "hypothesis", "nas_surgery.testing"), name


BACKENDS = sorted((REPOSITORY / "backends").glob("*/nas_surgery_*/__init__.py"))


@pytest.mark.parametrize("file", BACKENDS, ids=lambda file: file.parent.name)
def test_a_backend_imports_its_framework_when_it_is_first_used(file):
    """Its `__init__` holds the hook alone; nothing at the top of it costs seconds."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    for node in tree.body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            top = node.module if isinstance(node, ast.ImportFrom) else node.names[0].name
            assert not within(top, *FRAMEWORKS, file.parent.name), top


def loaded(code):
    """Which modules a fresh process has after running the code."""
    script = f"{code}\nimport sys; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


def test_importing_the_package_imports_no_framework():
    """Nor anything else that is only sometimes needed and slow."""
    held = loaded("import nas_surgery")
    assert "nas_surgery.runs.runner" in held
    drawing = {"matplotlib", "jinja2", "nas_surgery.plot"}
    assert not held & {*FRAMEWORKS, *drawing, "sklearn", "onnxruntime", "pytest", "hypothesis"}


def test_no_module_needs_what_windows_lacks():
    """The front door and the command line come up without it; forks and file locks have substitutes."""
    held = loaded(
        "import multiprocessing, multiprocessing.context as context, os, sys\n"
        "multiprocessing.get_all_start_methods = lambda: ['spawn']\n"
        "for name in ('fcntl', 'resource', 'pwd', 'grp', 'termios'): sys.modules[name] = None\n"
        "for name in ('fork', 'forkserver'): del context._concrete_contexts[name]\n"
        "for name in ('O_NOFOLLOW', 'O_NONBLOCK', 'O_NOCTTY', 'O_CLOEXEC', 'fchmod'): delattr(os, name)\n"
        "import nas_surgery.cli, nas_surgery.runs.runner"
    )
    assert "nas_surgery.runs.lock" in held


def test_listing_plugins_imports_no_framework():
    """Backends say what they are without it."""
    held = loaded("from nas_surgery.plugins.registry import default_registry; default_registry()")
    assert not held & FRAMEWORKS


def test_the_public_names_are_there():
    """Everything that `__all__` promises, and nothing twice."""
    assert len(set(nas_surgery.__all__)) == len(nas_surgery.__all__)
    for name in nas_surgery.__all__:
        assert hasattr(nas_surgery, name)


@pytest.mark.parametrize(
    "name",
    [
        "network.Dense",
        "network.Group",
        "network.linear_layer",
        "surgery.WidthMap",
        "surgery.change_width",
        "surgery.group_activation",
        "testing.BackendConformance",
    ],
)
def test_what_plugins_import_stays(name):
    """Names of the public rooms, also where nothing of ours needs them any more."""
    room, _, what = name.partition(".")
    assert what in importlib.import_module(f"nas_surgery.{room}").__all__
