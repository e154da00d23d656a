"""Tables from files: `csv:PATH` and `parquet:PATH`, read by polars, or by pandas where that alone is installed.

The texts of a CSV file are taken as they stand, so that it is the same table whoever reads it.
"""

from importlib import import_module
from io import BytesIO
from os.path import expanduser
from pathlib import Path
from typing import Any

from nas_surgery.data.tables.table import Column, Table
from nas_surgery.errors import DataError, DataFileError, ModelFileError
from nas_surgery.formats.regular_file import read_regular, size_limit

NEEDED = "tables are read by polars or pandas; install one: pip install 'nas-surgery[tables]'"


def read_csv(path: str) -> Table:
    """`csv:PATH`: UTF-8 text with a line of names, separated by commas. Raises DataFileError."""
    return _read(path, _csv)


def read_parquet(path: str) -> Table:
    """`parquet:PATH`. Raises DataFileError."""
    return _read(path, _parquet)


FORMATS = {"csv": read_csv, "parquet": read_parquet}


def table_file(source: str) -> tuple[str, str] | None:
    """(format, path) of `csv:PATH` or of a path that ends in .csv; None for what is no table."""
    scheme, _, rest = source.partition(":")
    if scheme in FORMATS and rest:
        return scheme, rest
    suffix = Path(source).suffix.removeprefix(".")
    return (suffix, source) if suffix in FORMATS else None


def _read(path: str, parse: Any) -> Table:
    file = Path(expanduser(path))
    try:
        content = read_regular(file, size_limit())
        return parse(_library(), content)  # type: ignore[no-any-return]
    except (DataError, ModelFileError) as error:
        raise DataFileError(f"{file}: {error}") from None
    except Exception as error:  # of the library, in many kinds
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise DataFileError(f"{file}: cannot be read: {reason}") from None


def _library() -> Any:
    for name in ("polars", "pandas"):
        try:
            return import_module(name)
        except ImportError:
            continue
    raise DataError(NEEDED)


def _csv(library: Any, content: bytes) -> Table:
    try:
        text = content.decode("utf-8-sig").strip("\r\n")
    except UnicodeDecodeError:
        raise DataError("not UTF-8 text") from None
    if not text:
        raise DataError("it is empty")
    head = text.splitlines()[0]
    if "," not in head and (";" in head or "\t" in head):
        raise DataError("its columns have to be separated by commas")
    columns = _texts(library, text.encode())
    return Table(tuple(Column(str(name or "").strip(), tuple(held)) for name, *held in columns))


def _texts(library: Any, content: bytes) -> list[list[str | None]]:
    """All columns, with the names on top."""
    if library.__name__ == "polars":
        frame = library.read_csv(content, has_header=False, infer_schema=False)
        return [column.to_list() for column in frame]
    plain = {"header": None, "dtype": str, "keep_default_na": False, "skip_blank_lines": False}
    frame = library.read_csv(BytesIO(content), **plain).fillna("")
    return [frame[name].tolist() for name in frame.columns]


def _parquet(library: Any, content: bytes) -> Table:
    frame = library.read_parquet(BytesIO(content))
    return Table(tuple(Column(str(name), tuple(_values(frame[name]))) for name in frame.columns))


def _values(column: Any) -> list[Any]:
    """Plain values; pandas' own sign of what is missing is None."""
    values = column.to_list()
    return [None if type(value).__name__ in ("NAType", "NaTType") else value for value in values]
