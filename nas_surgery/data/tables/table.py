"""A table as it was read: named columns of plain values, which nobody has interpreted yet.

Rows are counted from 0, as everywhere.
"""

import difflib
from collections.abc import Iterable
from typing import Any

import attrs
import numpy as np

from nas_surgery.data.tables.values import (
    Value,
    as_label_array,
    as_numbers,
    as_texts,
    is_missing,
    kind_of,
)
from nas_surgery.errors import DataError
from nas_surgery.network import Array


@attrs.frozen(eq=False)
class Column:
    """The values of one column from above to below; texts of a CSV file are still texts."""

    name: str
    values: tuple[Value, ...] = attrs.field(repr=False)

    @property
    def kind(self) -> str:
        """ "number", "bool" or "text"; DataError for a value that is none of these."""
        try:
            return kind_of(self.values)
        except DataError as error:
            raise self._error(error) from None

    @property
    def missing(self) -> tuple[int, ...]:
        """The rows that hold no value."""
        return tuple(row for row, value in enumerate(self.values) if is_missing(value))

    def check_whole(self, advice: str = "") -> None:
        """DataError where values are missing."""
        if rows := self.missing:
            count = "1 value is" if len(rows) == 1 else f"{len(rows)} values are"
            raise self._error(f"{count} missing, the first in row {rows[0]}{advice}")

    def numbers(self) -> Array:
        """Its values (rows,) in float64, NaN where they are missing; DataError for text."""
        return self._converted(as_numbers)

    def texts(self) -> Array:
        """Its values (rows,) as texts, None where they are missing."""
        return as_texts(self.values)

    def labels(self) -> Array:
        """Its values (rows,) as whole numbers, numbers, bools or texts; none may be missing."""
        self.check_whole("; rows without a label have to go")
        return self._converted(as_label_array)

    def _converted(self, convert: Any) -> Array:
        try:
            made: Array = convert(self.values)
        except DataError as error:
            raise self._error(error) from None
        return made

    def _error(self, reason: object) -> DataError:
        return DataError(f"column {self.name!r}: {reason}")


@attrs.frozen(eq=False)
class Table:
    """Columns of one length with different names; DataError for anything else."""

    columns: tuple[Column, ...]

    def __attrs_post_init__(self) -> None:
        if not self.columns or not len(self):
            raise DataError("the table holds no rows")
        for number, name in enumerate(self.names):
            if not name:
                raise DataError(f"column {number} has no name")
            if name in self.names[:number]:
                raise DataError(f"two columns are called {name!r}")

    def __len__(self) -> int:
        return len(self.columns[0].values)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)

    def column(self, name: str) -> Column:
        """The column of that name; DataError with the nearest one that is there."""
        for column in self.columns:
            if column.name == name:
                return column
        near = difflib.get_close_matches(name, self.names, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(self.names)}"
        raise DataError(f"no column is called {name!r}; {hint}")

    def select(self, names: Iterable[str]) -> "Table":
        """The columns of these names, in this order; DataError names all that are not there."""
        wanted = tuple(names)
        lacking = [repr(name) for name in wanted if name not in self.names]
        if lacking:
            raise DataError(f"missing column{'s' * (len(lacking) > 1)} {', '.join(lacking)}")
        return Table(tuple(self.column(name) for name in wanted))

    def features(self, target: str) -> "Table":
        """All columns but the target; DataError where there is none else."""
        names = [name for name in self.names if name != target]
        if not names:
            raise DataError(f"there are no columns but the target {target!r}")
        return self.select(names)

    def row_numbers(self) -> Array:
        """(rows, 1): what stands for the rows while they are split."""
        return np.arange(len(self))[:, None]
