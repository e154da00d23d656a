"""What callers of `run` and `resume` give: a spec in any form, and who is to be told."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs

from nas_surgery.formats.toml import read_toml
from nas_surgery.network import expect
from nas_surgery.runs.spec import Spec
from nas_surgery.search.audience import Observer

SpecLike = Spec | str | Path | Mapping[str, Any]


def as_spec(spec: SpecLike, overrides: Mapping[str, Any] | None = None) -> Spec:
    """A Spec from what callers give; ArgumentError for anything else, and SpecError as `Spec` raises it."""
    expect(
        "spec", spec, (Spec, str, Path, Mapping), "a Spec, the path of a TOML file, or a mapping"
    )
    if isinstance(spec, Spec):
        return Spec.from_dict(spec.to_dict(), overrides).with_paths(Path())
    if isinstance(spec, Mapping):
        return Spec.from_dict(spec, overrides).with_paths(Path())
    return Spec.from_toml(spec, overrides)


def given_keys(spec: SpecLike, overrides: Mapping[str, Any]) -> frozenset[str]:
    """The dotted keys that a valid spec and its overrides set; of a Spec those that are not at their default."""
    if isinstance(spec, Spec):
        return _changed(spec, Spec()) | frozenset(overrides)
    values = spec if isinstance(spec, Mapping) else read_toml(Path(spec))
    return _keys(values) | frozenset(overrides)


@contextmanager
def followed(observers: Sequence[Observer], verbose: bool) -> Iterator[Sequence[Observer]]:
    """The observers, and with `verbose` one that shows progress on standard error."""
    if not verbose:
        yield observers
        return
    from nas_surgery.reports.progress import Progress

    with Progress() as progress:
        yield [*observers, progress]


def _keys(values: Mapping[str, Any]) -> frozenset[str]:
    tables = {key: value for key, value in values.items() if isinstance(value, Mapping)}
    inner = {f"{key}.{name}" for key, table in tables.items() for name in table}
    return frozenset(inner | (set(values) - set(tables)))


def _changed(one: Any, other: Any, prefix: str = "") -> frozenset[str]:
    """Where two values of one attrs class differ."""
    found: frozenset[str] = frozenset()
    for field in attrs.fields(type(one)):
        a, b = getattr(one, field.name), getattr(other, field.name)
        if attrs.has(type(a)):
            found |= _changed(a, b, f"{prefix}{field.name}.")
        elif a != b:
            found |= {f"{prefix}{field.name}"}
    return found
