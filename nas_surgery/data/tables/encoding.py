"""How the columns of a table become the inputs of a network: numbers first, then a place for each category.

scikit-learn's transformers measure and apply it. What they measured is kept as plain values, from
which the same transformers are made again.
"""

from typing import Any, Self

import attrs
import numpy as np

from nas_surgery.data.tables.table import Table
from nas_surgery.errors import DataError
from nas_surgery.network import Array

MISSING = ("error", "impute")
MOST_CATEGORIES = 100
IMPUTE = '; missing = "impute" fills them in'


@attrs.frozen
class ColumnCode:
    """What is known of one column. median: of numbers, where missing ones are imputed. categories: of
    text and bools; None among them is a category too, that of missing values."""

    name: str
    kind: str
    median: float | None = None
    categories: tuple[str | None, ...] | None = None


@attrs.frozen
class Encoding:
    """The columns in the order of the table that it was measured on, and the name of the target."""

    target: str
    missing: str
    columns: tuple[ColumnCode, ...]

    @classmethod
    def fit(cls, table: Table, target: str, missing: str, rows: Array) -> Self:
        """Medians and categories of these rows, the training part; kinds are those of whole columns."""
        features = table.features(target)
        kinds = {column.name: column.kind for column in features.columns}
        bare = tuple(ColumnCode(name, _code(kind)) for name, kind in kinds.items())
        made = cls(target, missing, bare)
        made.check(features)
        medians = _medians(made.numbers(features)[rows]) if missing == "impute" else {}
        categories = _categories(made.texts(features)[rows])
        for number, name in enumerate(made.names("category")):
            _check_few(name, categories[number])
        found = [
            *(attrs.evolve(c, median=medians.get(i)) for i, c in enumerate(made.of("number"))),
            *(attrs.evolve(c, categories=categories[i]) for i, c in enumerate(made.of("category"))),
        ]
        order = {column.name: place for place, column in enumerate(bare)}
        return attrs.evolve(made, columns=tuple(sorted(found, key=lambda c: order[c.name])))

    def encode(self, table: Table) -> Array:
        """(rows, inputs) of a raw table, whose columns are found by name; DataError names those that are
        not there, or hold what they should not."""
        features = table.select(column.name for column in self.columns)
        self.check(features)
        numbers, texts = self.numbers(features), self.texts(features)
        if self.missing == "impute" and numbers.shape[1]:
            numbers = self._imputer().transform(numbers)
        return np.hstack([numbers, self._one_hot().transform(texts)] if texts.size else [numbers])

    def extra(self, table: Table) -> list[str]:
        """Columns of a table that are not used."""
        known = {self.target, *(column.name for column in self.columns)}
        return [name for name in table.names if name not in known]

    def of(self, kind: str) -> list[ColumnCode]:
        """The columns of a kind."""
        return [column for column in self.columns if column.kind == kind]

    def names(self, kind: str) -> list[str]:
        return [column.name for column in self.of(kind)]

    def check(self, features: Table) -> None:
        """DataError where a value is missing that nobody said may be."""
        for column in features.columns if self.missing == "error" else ():
            column.check_whole(IMPUTE)

    def numbers(self, features: Table) -> Array:
        """(rows, columns of numbers), NaN where missing."""
        columns = [features.column(name).numbers() for name in self.names("number")]
        return np.stack(columns, axis=1) if columns else np.empty((len(features), 0))

    def texts(self, features: Table) -> Array:
        """(rows, columns of categories), None where missing."""
        columns = [features.column(name).texts() for name in self.names("category")]
        return np.stack(columns, axis=1) if columns else np.empty((len(features), 0), dtype=object)

    def _imputer(self) -> Any:
        """The imputer that has these medians: of one row, they are the values."""
        from sklearn.impute import SimpleImputer

        medians = [[column.median for column in self.of("number")]]
        return SimpleImputer(strategy="median", keep_empty_features=True).fit(medians)

    def _one_hot(self) -> Any:
        """The encoder that has these categories; what is new is in none of them."""
        from sklearn.preprocessing import OneHotEncoder

        known = [np.array(column.categories, dtype=object) for column in self.of("category")]
        encoder = OneHotEncoder(categories=known, handle_unknown="ignore", sparse_output=False)
        return encoder.fit(np.array([[each[0] for each in known]], dtype=object))


def _code(kind: str) -> str:
    return "number" if kind == "number" else "category"


def _medians(numbers: Array) -> dict[int, float]:
    if not numbers.shape[1]:
        return {}
    from sklearn.impute import SimpleImputer

    imputer = SimpleImputer(strategy="median", keep_empty_features=True).fit(numbers)
    return dict(enumerate(imputer.statistics_.tolist()))


def _categories(texts: Array) -> list[tuple[str | None, ...]]:
    if not texts.shape[1]:
        return []
    from sklearn.preprocessing import OneHotEncoder

    return [tuple(found.tolist()) for found in OneHotEncoder().fit(texts).categories_]


def _check_few(name: str, categories: tuple[str | None, ...]) -> None:
    if len(categories) > MOST_CATEGORIES:
        raise DataError(
            f"column {name!r}: {len(categories)} different texts, such as {categories[0]!r};"
            f" categories are at most {MOST_CATEGORIES}, so leave the column out"
        )
