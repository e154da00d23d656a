"""Raw tables for a network that a run made of one: their columns are found by name."""

from pathlib import Path

import attrs

from nas_surgery.data.dataset import Dataset
from nas_surgery.data.tables.encoding import Encoding
from nas_surgery.data.tables.file import read_encoding
from nas_surgery.data.tables.reading import FORMATS, table_file
from nas_surgery.data.tables.table import Table
from nas_surgery.errors import DataError, NasSurgeryError
from nas_surgery.network import Array
from nas_surgery.runs.directory import TABLE


@attrs.frozen(eq=False)
class RawTable:
    """A table that was read for a run's network, and how that run encoded its own."""

    path: str
    table: Table
    encoding: Encoding

    @classmethod
    def read(cls, model: Path, source: str) -> "RawTable | None":
        """The table of a source, or of a path by its suffix; None for what is no table.

        Raises DataError where the model is no run directory that knows the columns.
        """
        named = table_file(source)
        if named is None:
            return None
        kept = model / TABLE
        if not kept.is_file():
            raise DataError(
                f"{source}: a table needs a run directory that was begun with one, which knows its"
                f" columns; {model} holds no {TABLE}"
            )
        scheme, path = named
        return cls(path, FORMATS[scheme](path), read_encoding(kept))

    def samples(self) -> Array:
        """The inputs (rows, …); DataError names the file, and what is missing in it."""
        try:
            return self.encoding.encode(self.table)
        except DataError as error:
            raise self._named(error) from None

    def dataset(self) -> Dataset:
        """Inputs and labels."""
        x = self.samples()
        try:
            return Dataset(x, self.table.column(self.encoding.target).labels())
        except DataError as error:
            raise self._named(error) from None

    @property
    def warnings(self) -> list[str]:
        """A line on columns that the run did not know."""
        extra = ", ".join(map(repr, self.encoding.extra(self.table)))
        return (
            [f"{self.path}: ignored, because the run did not know them: {extra}"] if extra else []
        )

    def _named(self, error: NasSurgeryError) -> DataError:
        return DataError(f"{self.path}: {error}")
