"""An encoding as a JSON file: written whole, and read as a file of unknown origin."""

import json
from math import isfinite
from pathlib import Path
from typing import Any

import attrs

from nas_surgery.data.tables.encoding import MISSING, Encoding
from nas_surgery.errors import DataFileError, ModelFileError, SpecError
from nas_surgery.formats.atomic import write_atomically
from nas_surgery.formats.regular_file import read_regular, size_limit
from nas_surgery.formats.strict_json import strict_json
from nas_surgery.formats.structuring import structure

FORMAT = "nas-surgery table 1"


def write_encoding(encoding: Encoding, file: Path) -> None:
    """Write it in one step."""
    values = attrs.asdict(encoding, filter=lambda _, value: value is not None)
    text = json.dumps({"format": FORMAT, **values}, indent=1, ensure_ascii=False)
    write_atomically(file, f"{text}\n".encode())


def read_encoding(file: Path) -> Encoding:
    """What `write_encoding` wrote; DataFileError names the file and what is wrong with it."""
    try:
        values = strict_json(read_regular(file, size_limit()))
        made = structure(Encoding, _body(values))
        _check(made)
        return made
    except (ModelFileError, SpecError, ValueError) as error:
        raise DataFileError(f"{file}: {error}") from None


def _body(values: Any) -> dict[str, Any]:
    if not isinstance(values, dict) or values.get("format") != FORMAT:
        raise ValueError(f'no table of ours; its "format" is not {FORMAT!r}')
    return {key: value for key, value in values.items() if key != "format"}


def _check(encoding: Encoding) -> None:
    names = [encoding.target, *(column.name for column in encoding.columns)]
    if len(names) < 2 or len(set(names)) < len(names) or not all(names):
        raise ValueError("columns need names that differ, and there has to be one")
    if encoding.missing not in MISSING:
        raise ValueError(f"missing must be one of {', '.join(MISSING)}")
    for column in encoding.columns:
        place, held = f"column {column.name!r}", column.categories
        if column.kind not in ("number", "category"):
            raise ValueError(f"{place}: kind must be number or category")
        if (column.kind == "category") != bool(held) or len(set(held or ())) < len(held or ()):
            raise ValueError(f"{place}: categories, and numbers none, need different categories")
        wanted = column.kind == "number" and encoding.missing == "impute"
        if wanted != (column.median is not None) or not isfinite(column.median or 0):
            raise ValueError(f"{place}: imputed numbers, and nothing else, need a finite median")
