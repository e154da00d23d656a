"""Nobody asks for a layer's class: layers say what others need to know, and a new one changes nothing else."""

import ast
from pathlib import Path

import pytest

import nas_surgery
from nas_surgery.network import LAYERS

PACKAGE = Path(nas_surgery.__file__).parent
REPOSITORY = PACKAGE.parent
CLASSES = {layer.__name__ for layer in LAYERS.values()}

ROOMS = (  # what turns each layer into something else, or makes networks for tests
    "nas_surgery/network/layers",
    "nas_surgery/formats/onnx",
    "nas_surgery/numpy_backend",
    "nas_surgery/testing",
    "backends",
)
FACES = ("nas_surgery/__init__.py", "nas_surgery/network/__init__.py")  # they hand the classes on
MAKERS = {
    "nas_surgery/network/network.py": {"Dense", "Activation", "Flatten", "Dropout"},
    "nas_surgery/surgery/depth.py": {"Dense", "Activation"},  # an identity
    "nas_surgery/surgery/blocks.py": {"Dense", "Activation", "Add"},
    "nas_surgery/surgery/centring.py": {"Normalize"},  # made, and taken apart again
    "nas_surgery/data/splits.py": {"Normalize"},
}


def files():
    """Every module of ours, and of the plugins beside it, that is in none of the rooms."""
    found = [*PACKAGE.rglob("*.py"), *(REPOSITORY / "plugins").glob("*/*.py")]
    paths = (file.relative_to(REPOSITORY).as_posix() for file in found)
    return sorted(path for path in paths if not path.startswith(ROOMS) and path not in FACES)


def classes_named(tree):
    """The layer classes that a module names: imports, calls, asks for or annotates."""
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    names |= {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            names |= {alias.name for alias in node.names}
    return names & CLASSES


def kinds_asked_for(tree):
    """The kinds of layers that a `kind` is compared with."""
    kinds = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare):
            inner = list(ast.walk(node))
            if any(isinstance(each, ast.Attribute) and each.attr == "kind" for each in inner):
                kinds |= {each.value for each in inner if isinstance(each, ast.Constant)}
    return kinds & set(LAYERS)


def test_the_reader_sees_every_way_to_ask():
    """By class, under a module's name, in a pattern, and by kind."""
    tree = ast.parse(
        "from a import Dense as D\n"
        "isinstance(x, ir.Flatten)\n"
        "match x:\n    case Dropout(): pass\n"
        "x.kind in ('normalize', 'other') or x.kind == 'activation'\n"
    )
    assert classes_named(tree) == {"Dense", "Flatten", "Dropout"}
    assert kinds_asked_for(tree) == {"normalize", "activation"}


@pytest.mark.parametrize("path", files())
def test_no_layer_class_is_named(path):
    """But where one is made; and nobody asks for its kind instead."""
    tree = ast.parse((REPOSITORY / path).read_text(encoding="utf-8"))
    assert classes_named(tree) == MAKERS.get(path, set())
    assert not kinds_asked_for(tree)


def test_every_maker_is_there():
    """A file that is gone makes nothing."""
    assert set(MAKERS) <= set(files())
