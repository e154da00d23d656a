"""What is found in data before there is a spec: rows, columns, kinds, and what the labels are."""

from collections import Counter
from typing import Any

import attrs
import numpy as np

from nas_surgery.data.dataset import Dataset, load_source
from nas_surgery.data.labels import classes_of, decide, label_name
from nas_surgery.data.tables.reading import table_file
from nas_surgery.data.tables.table import Column, Table
from nas_surgery.errors import DataError
from nas_surgery.network import Array
from nas_surgery.plugins.registry import default_registry


@attrs.frozen
class Findings:
    """Data as they were found.

    columns: of a table, those that are inputs. target: of a table. loss: what the labels are taken for.
    classes: how many samples each has. doubt: why the loss has to be given; None where it follows.
    """

    source: str
    rows: int
    shape: tuple[int, ...]
    columns: tuple["Inputs", ...]
    target: str | None
    loss: str
    classes: dict[str, int]
    doubt: str | None

    @property
    def missing(self) -> int:
        """Values of inputs that are missing."""
        return sum(column.missing for column in self.columns)

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "source": self.source,
            "rows": self.rows,
            "shape": list(self.shape),
            "columns": [attrs.asdict(column) for column in self.columns],
            "target": self.target,
            "task": "classification" if self.loss == "cross_entropy" else "regression",
            "classes": self.classes,
            "missing": self.missing,
            "doubt": self.doubt,
        }


@attrs.frozen
class Inputs:
    """A column: its kind ("number", "bool", "text"), and how many values differ and are missing."""

    name: str
    kind: str
    different: int
    missing: int

    @classmethod
    def of(cls, column: Column) -> "Inputs":
        present = [text for text in column.texts() if text is not None]
        return cls(column.name, column.kind, len(set(present)), len(column.missing))


def findings(data: str, target: str | None = None) -> Findings:
    """Look into a source, or into a .csv, .parquet or .npz file; DataError names it and what is wrong.

    target: the column of the labels of a table; None for the last one.
    """
    source = _source(data)
    held = load_source(source, default_registry().all("datasets"))
    try:
        return _of_table(source, held, target) if isinstance(held, Table) else _of(source, held)
    except DataError as error:
        raise DataError(f"data source {source!r}: {error}") from None


def _source(data: str) -> str:
    named = table_file(data)
    if named is not None:
        return ":".join(named)
    return f"npz:{data}" if data.endswith(".npz") and not data.startswith("npz:") else data


def _of_table(source: str, table: Table, target: str | None) -> Findings:
    label = table.column(table.names[-1] if target is None else target)
    columns = tuple(map(Inputs.of, table.features(label.name).columns))
    return Findings(source, len(table), (), columns, label.name, *_meaning(label.labels()))


def _of(source: str, dataset: Dataset) -> Findings:
    meaning = _meaning(dataset.y)
    return Findings(source, len(dataset.x), dataset.sample_shape, (), None, *meaning)


def _meaning(y: Array) -> tuple[str, dict[str, int], str | None]:
    """Loss and classes of labels, and what leaves it in doubt: then quantities are the better guess."""
    try:
        loss = decide(y)
    except DataError as error:
        return "mean_squared_error", {}, str(error)
    if loss == "mean_squared_error":
        return loss, {}, None
    flat = y.argmax(axis=1) if y.ndim == 2 and y.shape[1] > 1 else y.ravel()
    counts = Counter(np.asarray(flat).tolist())
    return loss, {label_name(label): counts[label] for label in classes_of(y)}, None
