"""Tables: what their columns are, how they become numbers, and what is said where they cannot."""

import json
import subprocess
import sys
from datetime import date

import numpy as np
import polars as pl
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import OneHotEncoder

from nas_surgery.data.dataset import load_dataset, load_source
from nas_surgery.data.sources import SOURCES
from nas_surgery.data.splits import SplitPlan
from nas_surgery.data.tables import reading
from nas_surgery.data.tables.encoding import Encoding
from nas_surgery.data.tables.file import read_encoding, write_encoding
from nas_surgery.data.tables.splitting import split_table
from nas_surgery.data.tables.table import Column, Table
from nas_surgery.errors import DataError, DataFileError

CSV = """size, color ,ok,"the, kind"
1,red,true,big
2.5,green,false,small
,red,True,small
7, blue,FALSE,big
4,?,true,big
"""


def table(**columns):
    """A table from its columns."""
    return Table(tuple(Column(name, tuple(values)) for name, values in columns.items()))


@pytest.fixture
def file(tmp_path):
    """A CSV file of all kinds of columns, with a mark at its beginning as spreadsheets put it."""
    path = tmp_path / "table.csv"
    path.write_text(CSV, encoding="utf-8-sig")
    return path


def test_a_csv_file_is_the_same_table_whoever_reads_it(file, monkeypatch):
    """Polars and pandas hand over names and texts alike."""
    by_polars = load_source(f"csv:{file}", SOURCES)
    monkeypatch.setattr(reading, "_library", lambda: __import__("pandas"))
    by_pandas = load_source(f"csv:{file}", SOURCES)
    assert by_polars.names == by_pandas.names == ("size", "color", "ok", "the, kind")
    for one, other in zip(by_polars.columns, by_pandas.columns, strict=True):
        assert one.texts().tolist() == other.texts().tolist()
        assert one.missing == other.missing
    assert [column.kind for column in by_polars.columns] == ["number", "text", "bool", "text"]


def test_a_parquet_file_is_the_same_table_as_its_csv_file(tmp_path):
    """Categories, bools and numbers that are typed there are texts here."""
    frame = pl.DataFrame(
        {"n": [1, None, 3], "f": [0.5, float("nan"), 2.0], "b": [True, False, None]}
    ).with_columns(pl.Series("c", ["x", "y", "x"]).cast(pl.Categorical))
    frame.write_csv(tmp_path / "a.csv")
    frame.write_parquet(tmp_path / "a.parquet")
    tables = [load_source(f"{kind}:{tmp_path}/a.{kind}", SOURCES) for kind in ("csv", "parquet")]
    codes = [Encoding.fit(each, "c", "impute", np.arange(3)) for each in tables]
    assert codes[0] == codes[1]
    assert np.array_equal(*(codes[0].encode(each) for each in tables))
    assert [each.column("c").labels().tolist() for each in tables] == [["x", "y", "x"]] * 2


def test_columns_become_numbers_as_scikit_learn_makes_them(file):
    """Numbers by the median first, then a place for each category, a missing one among them."""
    held = load_source(f"csv:{file}", SOURCES)
    encoding = Encoding.fit(held, "the, kind", "impute", np.arange(5))
    raw = np.array(
        [[1, "red", "True"], [2.5, "green", "False"], [np.nan, "red", "True"],
         [7, "blue", "False"], [4, None, "True"]], dtype=object
    )  # fmt: skip
    wanted = ColumnTransformer(
        [
            ("numbers", SimpleImputer(strategy="median"), [0]),
            ("texts", OneHotEncoder(sparse_output=False), [1, 2]),
        ]
    ).fit_transform(raw)
    assert np.array_equal(encoding.encode(held), wanted.astype(float))


def test_only_the_training_part_is_measured():
    """A median and a category of the other parts leave no trace."""
    size = np.arange(40.0)
    color = np.where(size % 2, "a", "b").astype(object)
    held = table(size=size.tolist(), color=color.tolist(), y=[0, 1] * 20)
    rows = split_table(held, SplitPlan(), "auto", "y", "impute")[0]
    outside = {*rows.validation.x[:, 0].astype(int), *rows.test.x[:, 0].astype(int)}
    for row in outside:
        size[row], color[row] = 1e6, "new"
    changed = table(size=size.tolist(), color=color.tolist(), y=[0, 1] * 20)
    splits, encoding = split_table(changed, SplitPlan(), "auto", "y", "impute")
    assert encoding.columns[0].median == np.median(rows.train.x[:, 0])
    assert encoding.columns[1].categories == ("a", "b")
    assert np.array_equal(splits.train.x, rows.train.x)
    assert np.array_equal(splits.validation.x[:, 0], [1e6] * len(splits.validation))
    assert not splits.validation.x[:, 1:].any()


def test_an_encoding_comes_back_from_its_file(tmp_path, file):
    """Equal, and encoding the same; by name, in whatever order the columns stand."""
    held = load_source(f"csv:{file}", SOURCES)
    encoding = Encoding.fit(held, "the, kind", "impute", np.arange(5))
    write_encoding(encoding, tmp_path / "table.json")
    again = read_encoding(tmp_path / "table.json")
    assert again == encoding
    turned = Table(held.columns[::-1])
    assert np.array_equal(again.encode(turned), encoding.encode(held))


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        (lambda v: v.update(format="other"), "no table of ours"),
        (lambda v: v.update(more=1), "unknown key 'more'"),
        (lambda v: v.update(columns=[]), "columns need names"),
        (lambda v: v.update(missing="drop"), "missing must be one of error, impute"),
        (lambda v: v["columns"][0].update(median="1"), "median must be a number"),
        (lambda v: v["columns"][0].pop("median"), "'size': imputed numbers"),
        (lambda v: v["columns"][0].update(kind="date"), "'size': kind must be"),
        (lambda v: v["columns"][1].update(categories=["a", "a"]), "'color': categories"),
        (lambda v: v["columns"][1].update(name="size"), "names that differ"),
    ],
)
def test_an_encoding_is_read_strictly(tmp_path, file, change, rule):
    """One line names the file and what is wrong."""
    path = tmp_path / "table.json"
    held = load_source(f"csv:{file}", SOURCES)
    write_encoding(Encoding.fit(held, "the, kind", "impute", np.arange(5)), path)
    values = json.loads(path.read_text())
    change(values)
    path.write_text(json.dumps(values))
    with pytest.raises(DataFileError) as error:
        read_encoding(path)
    assert str(error.value).startswith(str(path))
    assert rule in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        ("", "it is empty"),
        ("a,b\n", "holds no rows"),
        ("a,a\n1,2\n", "two columns are called 'a'"),
        ("a,,c\n1,2,3\n", "column 1 has no name"),
        ("a,b\n1,2,3\n", "cannot be read: "),
        ("a;b\n1;2\n", "separated by commas"),
        ("a,b\n1,\udcff\n", "not UTF-8 text"),
    ],
)
@pytest.mark.parametrize("library", ["polars", "pandas"])
def test_a_csv_file_that_is_no_table_is_refused(tmp_path, monkeypatch, content, rule, library):
    """By a line that names the file, whoever reads it."""
    monkeypatch.setattr(reading, "_library", lambda: __import__(library))
    path = tmp_path / "bad.csv"
    path.write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(DataError, match=rule) as error:
        load_source(f"csv:{path}", SOURCES)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


MANY = [*map(str, range(30)), "twelve"]


@pytest.mark.parametrize(
    ("columns", "options", "rule"),
    [
        ({"a": [1, 2], "kind": [0, 1]}, {"target": "kinds"}, "'kinds'; did you mean 'kind'?"),
        ({"a": MANY, "y": [0, 1] * 15 + [0]}, {}, "'a': text where numbers are needed: 'twelve' in row 30"),
        ({"a": [1, None, "", 4] * 3, "y": ["a", "b"] * 6}, {}, "'a': 6 values are missing, the first in row 1; missing ="),
        ({"a": [1, 2, 3], "y": [0, None, 1]}, {}, "'y': 1 value is missing, the first in row 1"),
        ({"a": [1, 2], "y": [date(2020, 1, 1)] * 2}, {}, "'y': values of type date cannot be used"),
        ({"a": ["1", "inf"] * 5, "y": ["a", "b"] * 5}, {}, "'a': inf in row 1 is beyond the range"),
        ({"a": [f"n{i}" for i in range(400)], "y": [0, 1] * 200}, {}, "'a': 256 different texts"),
        ({"y": ["a", "b"] * 5}, {}, "no columns but the target 'y'"),
    ],
)  # fmt: skip
def test_what_is_wrong_names_the_column(columns, options, rule):
    """With the row and an example, where there is one."""
    settings = {"target": None, "missing": "error", **options}
    with pytest.raises(DataError) as error:
        split_table(table(**columns), SplitPlan(), "auto", **settings)
    assert rule in str(error.value)


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        (["1", "2"], np.array([1, 2])),
        (["1", "2.0"], np.array([1.0, 2.0])),
        (["true", "False"], np.array([True, False])),
        ([True, False], np.array([True, False])),
        ([" a", "b "], np.array(["a", "b"])),
        ([3.0, 4.0], np.array([3.0, 4.0])),
    ],
)
def test_labels_are_of_the_kind_that_they_spell(values, wanted):
    """Whole numbers, numbers, bools or texts."""
    found = Column("y", tuple(values)).labels()
    assert found.dtype.kind == wanted.dtype.kind
    assert np.array_equal(found, wanted)


def test_codes_that_look_like_numbers_stay_codes(tmp_path):
    """A column of text is text in a later file too, where all of it could be numbers."""
    known = table(code=["01", "1", "A"], y=[0, 1, 0])
    encoding = Encoding.fit(known, "y", "error", np.arange(3))
    (tmp_path / "new.csv").write_text("code\n1\n01\n")
    later = reading.read_csv(str(tmp_path / "new.csv"))
    assert encoding.encode(later).tolist() == [[0, 1, 0], [1, 0, 0]]


def test_a_table_is_no_dataset(file):
    """Where nobody knows its columns."""
    with pytest.raises(DataError, match="a table, whose columns only a run"):
        load_dataset(f"csv:{file}", SOURCES)


def test_what_is_not_installed_is_named(file):
    """With the command that installs it."""
    script = (
        "import sys; sys.modules['polars'] = sys.modules['pandas'] = None\n"
        "from nas_surgery.data.tables.reading import read_csv\n"
        f"read_csv({str(file)!r})"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert "pip install 'nas-surgery[tables]'" in done.stderr
