"""Plain values to attrs classes, strictly typed: no bool is an int, no string a number."""

import difflib
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

import attrs
import cattrs
import cattrs.gen
from cattrs.errors import ClassValidationError, ForbiddenExtraKeysError, IterableValidationError

from nas_surgery.errors import SpecError

T = TypeVar("T")

GATHERED = {
    "gathered": True
}  # metadata of a field that holds a table's foreign keys, and is none itself


def structure(cls: type[T], values: Mapping[str, Any], where: str = "") -> T:
    """An attrs class from plain values, strictly typed; SpecError names the key and the rule."""
    try:
        return _converter.structure(values, cls)
    except ClassValidationError as error:
        raise SpecError(_explain(error, [where] if where else [])) from None


def _strict(kind: type, name: str, *also: type) -> Any:
    def check(value: Any, _: Any) -> Any:
        if type(value) is kind or type(value) in also:
            return kind(value)
        raise ValueError(f"must be {name}, got {value!r}")

    return check


def _text(value: Any, _: Any) -> str:
    if type(value) is not str:
        raise ValueError(f"must be a string, got {value!r}")
    if not is_utf8(value):
        raise ValueError(f"must be UTF-8, as a spec is, got {value!r}")
    return value


def is_utf8(text: str) -> bool:
    """Whether a text can be written as UTF-8; names of files may hold bytes that cannot."""
    return not any("\ud800" <= char <= "\udfff" for char in text)


def _table(cls: type, converter: cattrs.Converter) -> Any:
    inner: Any = cattrs.gen.make_dict_structure_fn(cls, converter, _cattrs_forbid_extra_keys=True)

    def check(value: Any, kind: Any) -> Any:
        if not isinstance(value, Mapping):
            raise ValueError(f"must be a table, got {value!r}")
        return inner(value, kind)

    return check


def _list(value: Any, kind: Any) -> tuple[Any, ...]:
    if not isinstance(value, list | tuple):
        raise ValueError(f"must be a list, got {value!r}")
    return tuple(_converter.structure(item, kind.__args__[0]) for item in value)


def _make_converter() -> cattrs.Converter:
    converter = cattrs.Converter(forbid_extra_keys=True)
    converter.register_structure_hook_factory(attrs.has, lambda cls: _table(cls, converter))
    converter.register_structure_hook_func(
        lambda kind: getattr(kind, "__origin__", None) is tuple, _list
    )
    converter.register_structure_hook(int, _strict(int, "a whole number"))
    converter.register_structure_hook(float, _strict(float, "a number", int))
    converter.register_structure_hook(bool, _strict(bool, "true or false"))
    converter.register_structure_hook(str, _text)
    return converter


_converter = _make_converter()


def _explain(error: BaseException, path: list[str]) -> str:
    """The first thing that is wrong, with the dotted key where it is."""
    if isinstance(error, ClassValidationError | IterableValidationError):
        first = error.exceptions[0]
        notes = [getattr(note, "name", None) for note in getattr(first, "__notes__", [])]
        return _explain(first, path + [str(name) for name in notes if name])
    if isinstance(error, ForbiddenExtraKeysError):
        key = sorted(error.extra_fields)[0]
        return unknown_key(key, _known(error.cl), path)
    message = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    if path and message.startswith(f"{path[-1]} "):
        path = path[:-1]
    if message.startswith("must ") or not path:
        return f"{'.'.join(path)} {message}".strip()
    return f"{'.'.join(path)}.{message}" if " must " in message else f"{'.'.join(path)}: {message}"


def _known(cls: type) -> list[str]:
    """The keys of a class, and the dotted keys of the tables in it."""
    fields = [field for field in attrs.fields(cls) if "gathered" not in field.metadata]
    tables = [field for field in fields if attrs.has(field.type)]
    inner = [f"{table.name}.{each.name}" for table in tables for each in attrs.fields(table.type)]
    return [field.name for field in fields] + inner


def unknown_key(key: str, known: Iterable[str], path: list[str]) -> str:
    """The refusal of a key, with the nearest valid one."""
    names = list(known)
    near = difflib.get_close_matches(key, names, 1)
    dotted = ".".join([*path, key])
    if "." in key:
        table, _, rest = key.partition(".")
        return f"unknown key {dotted!r}; it is written as a table: {{{table!r}: {{{rest!r}: …}}}}"
    return f"unknown key {dotted!r}" + (
        f"; did you mean {'.'.join([*path, near[0]])!r}?"
        if near
        else f"; known: {', '.join(names)}"
    )
