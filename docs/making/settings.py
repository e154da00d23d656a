"""The settings of a strategy as a table: names and defaults of its fields, and what its docstring says of each."""

import inspect
import re
from collections.abc import Iterable, Mapping
from importlib import import_module

import attrs


def settings_table(path: str) -> str:
    """The table in Markdown for a class, by its dotted path, whose docstring has `name: what it is.`"""
    cls = named(path)
    fields = {field.name: field.default for field in attrs.fields(cls)}
    said = explained(inspect.getdoc(cls) or "", fields)
    rows = [f"| `{key}` | {shown(value)} | {said[key]} |" for key, value in fields.items()]
    return "\n".join(["| setting | default | |", "|---|---|---|", *rows])


def named(path: str) -> type:
    """The class that a dotted path names."""
    module, _, name = path.rpartition(".")
    found: type = getattr(import_module(module), name)
    return found


def explained(text: str, names: Iterable[str]) -> dict[str, str]:
    """What a docstring says of each name; ValueError where it says nothing."""
    names = list(names)
    one = rf"(?:{'|'.join(names)})\b(?: ε[₁₂])?"
    paragraphs = re.split(r"\n\s*\n", text)
    found: dict[str, str] = {}
    for paragraph in paragraphs:
        pieces = re.split(rf"(?<![\w`])({one}(?:, {one})*): ", " ".join(paragraph.split()))
        for heads, what in zip(pieces[1::2], pieces[2::2], strict=True):
            found.update(dict.fromkeys(re.findall(r"[a-z]\w+", heads), sentence(what)))
    elsewhere = [name for name in names if name not in found]
    return found | {name: f"See `{mentioned(name, found)}`." for name in elsewhere}


def mentioned(name: str, found: Mapping[str, str]) -> str:
    """The setting that is explained together with another one, whose name stands in what is said of it."""
    for key, text in found.items():
        if f"`{name}`" in text:
            return key
    raise ValueError(f"the docstring does not say what {name} is")


def sentence(text: str) -> str:
    """With a capital letter, and nothing that ends a cell."""
    return (text[0].upper() + text[1:]).strip().replace("|", "\\|")


def shown(value: object) -> str:
    """A default as a spec would have it."""
    if value is None:
        return "none"
    return f"`{str(value).lower() if isinstance(value, bool) else repr(value)}`".replace("'", '"')
