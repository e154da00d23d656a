import gzip
import hashlib
import json
from urllib.error import URLError

import numpy as np
import pytest

from nas_surgery.data.dataset import Dataset, as_dataset, load_dataset
from nas_surgery.data.sources import SOURCES, read_npz
from nas_surgery.errors import DataError

X = np.random.default_rng(0).normal(size=(20, 3))
Y = np.arange(20) % 3
NAN = np.where(np.eye(20, 3), np.nan, X)


@pytest.mark.parametrize(
    ("arrays", "rule"),
    [
        ((NAN, Y), "training part: 3 of the inputs are NaN or infinite"),
        ((X * np.inf, Y), "training part: 60 of the inputs are NaN or infinite"),
        ((X, np.where(Y == 1, np.nan, Y)), "training part: 7 of the labels are NaN or infinite"),
        ((X, Y, NAN, Y), "test part: 3 of the inputs are NaN"),
        ((X, Y[:5]), "20 inputs but labels of shape (5,)"),
        ((X, 3), "20 inputs but labels of shape ()"),
        ((X, np.zeros((20, 0))), "20 inputs but labels of shape (20, 0)"),
        ((X, Y, X, np.zeros((20, 0))), "test part: 20 inputs but labels of shape (20, 0)"),
        ((X, np.zeros((20, 1, 1))), "20 inputs but labels of shape (20, 1, 1)"),
        ((X[:, 0], Y), "inputs must have shape (samples, …) and hold something, got (20,)"),
        ((X[:0], Y[:0]), "got (0, 3)"),
        ((X[:, :0], Y), "got (20, 0)"),
        ((X, Y, X, Y[:5]), "test part: 20 inputs but labels of shape (5,)"),
        (
            (X, Y, X[:, :2], Y),
            "test samples of shape (2,) do not match training samples of shape (3,)",
        ),
        ((X, Y, X), "x_test and y_test come together or not at all"),
        ((X, Y, None, Y), "x_test and y_test come together or not at all"),
        ((X.astype(str), Y), "inputs must be numbers"),
        ((X.astype(complex), Y), "inputs must be numbers, got dtype complex128"),
        (([[1, 2], [3]], [0, 1]), "rows of different lengths"),
        (
            (X, np.array(["a", None] * 10)),
            "10 of the labels are missing (None or NaN), the first in row 1",
        ),
        ((X, np.array(["a", np.nan] * 10, object)), "10 of the labels are missing"),
        ((X, np.array(["a", 1] * 10, object)), "strings throughout, got number ('1' in row 1)"),
        ((X, np.array([1, True] * 10, object)), "strings throughout, got bool ('True' in row 1)"),
        ((X, np.array([2**70] * 20, object)), "numbers that 64 bits hold"),
        ((X, "oak"), "labels must be an array, got str"),
        ((X * 1e300, Y), "inputs up to"),
        ((X, X[:, 0] * 1e300), "labels up to"),
    ],
)
def test_data_that_cannot_be_used_are_refused(arrays, rule):
    """The message names the part and the rule, in one line."""
    with pytest.raises(DataError) as refusal:
        Dataset(*arrays)
    assert rule in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    "values", [[True, False] * 10, [0, 1] * 10, [0.5, 1] * 10, ["a", "b"] * 10]
)
def test_arrays_of_objects_become_plain_ones(values):
    """As scikit-learn and pandas give them."""
    dataset = Dataset(X.astype(object), np.array(values, object))
    assert dataset.x.dtype == np.float64
    assert dataset.y.dtype == np.array(values).dtype
    assert dataset.y.tolist() == values


def test_python_callers_give_data_in_many_forms():
    """A Dataset, two or four arrays, lists, or the keys of an npz source."""
    dataset = Dataset(X, Y, X + 1, Y)
    assert as_dataset(dataset) is dataset
    mapping = {"x_train": X, "y_train": Y, "x_test": X + 1, "y_test": Y}
    for form in ((X, Y, X + 1, Y), (X.tolist(), Y.tolist(), (X + 1).tolist(), Y.tolist()), mapping):
        made = as_dataset(form)
        for name in ("x", "y", "x_test", "y_test"):
            assert np.array_equal(getattr(made, name), getattr(dataset, name))
    assert as_dataset((X, Y)).x_test is None
    assert as_dataset({"x_train": X, "y_train": Y}).sample_shape == (3,)


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        ([X, Y], "got list"),
        ((X, Y, X), "got tuple"),
        ({"x": X, "y": Y}, "unknown key 'x'; known: x_train, y_train, x_test"),
        ({"x_train": X, "y_train": Y, "x_tst": X}, "unknown key 'x_tst'; did you mean 'x_test'"),
        ({"x_train": X, "y_train": Y, "x_val": X, "y_val": Y}, "unknown key 'x_val'"),
        ({"x_train": X, "x_test": X}, "y_train missing; it holds x_train, x_test"),
        ({}, "it holds nothing"),
    ],
)
def test_other_forms_are_refused(data, rule):
    """With what there should have been."""
    with pytest.raises(DataError, match=rule):
        as_dataset(data)


WHERE = [
    # inputs, where the first of what is wrong with them stands
    (NAN, "3 of the inputs are NaN or infinite, the first in row 0, column 0"),
    (np.where(np.arange(60).reshape(20, 3) == 7, np.inf, X), "1 of the inputs is NaN or infinite, the first in row 2, column 1"),
    (np.full((20, 2, 2), np.nan), "the first in sample 0, place (0, 0)"),
    (X * [1, 1e300, 1], "beyond the range of float32, the first in row 0, column 1"),
    ([[1, 2]] * 19 + [[1, "x"]], "got text ('x' in row 19, column 1)"),
    (np.array([[1, None]] * 20), "20 of the inputs are missing (None or NaN), the first in row 0, column 1"),
    (np.array([[1, "red"]] * 20, object), "got text ('red' in row 0, column 1)"),
    (np.array([(1, "red")] * 20, [("id", int), ("hue", "U3")]), "got text ('red' in row 0, column 'hue')"),
    (np.array([(1, np.nan)] * 20, [("id", int), ("size", float)]), "row 0, column 'size'"),
]  # fmt: skip


@pytest.mark.parametrize(("x", "rule"), WHERE)
def test_errors_say_where(x, rule):
    """The row, the column, by name where it has one, and how many there are."""
    with pytest.raises(DataError) as refusal:
        Dataset(x, Y)
    assert str(refusal.value).startswith("training part: ")
    assert rule in str(refusal.value)


class Frame:
    """What pandas and polars have in common: columns by name, and an array of all of them."""

    def __init__(self, **columns):
        self.columns, self._held = list(columns), columns

    def __getitem__(self, name):
        return self._held[name]

    def __array__(self, dtype=None, copy=None):
        raise AssertionError("each library makes something else of columns of several types")


def test_frames_give_their_columns():
    """Bools and numbers side by side are numbers; errors call a column by its name."""
    frame = Frame(age=[3, 4], member=[True, False], size=[0.5, 1.5])
    assert Dataset(frame, [0, 1]).x.tolist() == [[3, 1, 0.5], [4, 0, 1.5]]
    with pytest.raises(DataError, match=r"got text .'red' in row 0, column 'hue'"):
        Dataset(Frame(age=[3, 4], hue=["red", "blue"]), [0, 1])
    with pytest.raises(DataError, match=r"1 of the inputs is missing .* in row 1, column 'age'"):
        Dataset(Frame(age=[3, None]), [0, 1])
    with pytest.raises(DataError, match="inputs of column 'when' are of dtype datetime64"):
        Dataset(Frame(age=[3, 4], when=np.array(["2020", "2021"], "M8[D]")), [0, 1])


@pytest.mark.parametrize("part", ["x", "y"])
def test_masked_arrays_lose_no_mask(part):
    """A value that is masked is refused; an array without any is taken as it is."""
    arrays = {"x": X, "y": Y}
    hidden = np.ma.masked_where(np.arange(20) == 4, Y)
    masked = {"x": np.ma.masked_where(np.arange(60).reshape(20, 3) == 7, X), "y": hidden}
    with pytest.raises(DataError, match=r"1 of the (inputs|labels) is masked, the first in row"):
        Dataset(**{**arrays, part: masked[part]})
    made = Dataset(**{**arrays, part: np.ma.masked_array(arrays[part])})
    assert np.array_equal(getattr(made, part), arrays[part])
    assert type(getattr(made, part)) is np.ndarray


def test_the_validation_part_comes_by_name(tmp_path):
    """In a mapping, an npz file and a Dataset; one half of it alone is refused."""
    arrays = {"x_train": X, "y_train": Y, "x_validation": X[:5], "y_validation": Y[:5]}
    np.savez(tmp_path / "a.npz", **arrays)
    for made in (as_dataset(arrays), read_npz(str(tmp_path / "a.npz"))):
        assert np.array_equal(made.x_validation, X[:5])
        assert made.x_test is None
    with pytest.raises(DataError, match="x_validation and y_validation come together"):
        Dataset(X, Y, x_validation=X)
    with pytest.raises(DataError, match=r"validation samples of shape \(2,\) do not match"):
        Dataset(X, Y, x_validation=X[:, :2], y_validation=Y)


def test_an_npz_file_with_a_part_of_another_name_is_refused(tmp_path):
    """It would be trained on another split than is meant."""
    np.savez(tmp_path / "a.npz", x_train=X, y_train=Y, x_val=X, y_val=Y)
    with pytest.raises(DataError, match=r"a\.npz: unknown key 'x_val'"):
        read_npz(str(tmp_path / "a.npz"))


def test_npz_sources_hold_four_arrays_or_two(tmp_path):
    """The official test part is optional."""
    np.savez(tmp_path / "two.npz", x_train=X, y_train=Y)
    np.savez(tmp_path / "four.npz", x_train=X, y_train=Y, x_test=X, y_test=Y, other=X)
    assert read_npz(str(tmp_path / "two.npz")).x_test is None
    assert np.array_equal(read_npz(str(tmp_path / "four.npz")).y_test, Y)


@pytest.mark.parametrize(
    ("source", "rule"),
    [
        ("npz:{}/nowhere.npz", "{}/nowhere.npz: No such file or directory"),
        ("npz:{}", "{}: Is a directory"),
        ("npz:{}/broken.npz", "not a readable npz file"),
        (
            "sklearn:mnist",
            "not bundled with scikit-learn; those are breast_cancer, diabetes, digits",
        ),
        ("digits", "unknown; sources are sklearn:…, npz:…, openml:…"),
        ("sklaern:digits", "unknown; sources are"),
    ],
)
def test_a_source_that_cannot_be_read_is_named(tmp_path, source, rule):
    """Beside the reason."""
    (tmp_path / "broken.npz").write_bytes(b"no archive")
    source, rule = source.format(tmp_path), rule.format(tmp_path)
    with pytest.raises(DataError) as refusal:
        load_dataset(source, SOURCES)
    assert str(refusal.value).startswith(f"data source {source!r}: ")
    assert rule in str(refusal.value)


@pytest.mark.parametrize(
    ("name", "shape", "classes"),
    [("digits", (64,), 10), ("iris", (4,), 3), ("wine", (13,), 3), ("breast_cancer", (30,), 2)],
)
def test_the_bundled_sets_are_classified(name, shape, classes):
    """Whole numbers are classes."""
    dataset = load_dataset(f"sklearn:{name}", SOURCES)
    assert dataset.sample_shape == shape
    assert np.unique(dataset.y).tolist() == list(range(classes))


def test_diabetes_is_a_regression():
    """Floats are targets."""
    assert load_dataset("sklearn:diabetes", SOURCES).y.dtype.kind == "f"


ARFF = """@relation flowers
@attribute length real
@attribute colour {red, blue}
@attribute id integer
@attribute species {oak, elm}
@data
1.5,red,0,oak
2.5,blue,1,elm
3.5,red,2,oak
"""


@pytest.fixture
def openml(tmp_path, monkeypatch):
    """A cache as scikit-learn keeps it, with data set 7, "flowers" version 2; there is no network."""

    def forbidden(*args, **kwargs):
        raise URLError("no network in tests")

    monkeypatch.setenv("SCIKIT_LEARN_DATA", str(tmp_path))
    monkeypatch.setattr("urllib.request.urlopen", forbidden)
    monkeypatch.setattr("sklearn.datasets._openml.urlopen", forbidden)

    def keep(path, content):
        file = tmp_path / "openml" / "openml.org" / f"{path}.gz"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(gzip.compress(content.encode()))

    url = "data/v1/download/70/flowers.arff"
    description = {
        "id": "7",
        "name": "flowers",
        "version": "2",
        "format": "ARFF",
        "status": "active",
    }
    description |= {"url": f"https://www.openml.org/{url}", "description": ""}
    description |= {"md5_checksum": hashlib.md5(ARFF.encode()).hexdigest()}
    columns = [
        ("length", "numeric"),
        ("colour", "nominal"),
        ("id", "numeric"),
        ("species", "nominal"),
    ]
    features = [
        {
            "index": str(i),
            "name": name,
            "data_type": kind,
            "number_of_missing_values": "0",
            "is_target": str(name == "species").lower(),
            "is_ignore": "false",
            "is_row_identifier": str(name == "id").lower(),
        }
        for i, (name, kind) in enumerate(columns)
    ]
    api = "api/v1/json/data"
    found = {"data": {"dataset": [{"did": 7, "version": 2, "status": "active"}]}}
    keep(f"{api}/list/data_name/flowers/limit/2/status/active/", json.dumps(found))
    keep(f"{api}/list/data_name/flowers/limit/2/data_version/2", json.dumps(found))
    keep(f"{api}/7", json.dumps({"data_set_description": description}))
    keep(f"{api}/features/7", json.dumps({"data_features": {"feature": features}}))
    quality = [{"name": "NumberOfInstances", "value": "3.0"}]
    keep(f"{api}/qualities/7", json.dumps({"data_qualities": {"quality": quality}}))
    keep(url, ARFF)


@pytest.mark.parametrize("name", ["7", "flowers", "flowers@2"])
@pytest.mark.usefixtures("openml")
def test_openml_sets_come_from_scikit_learns_cache(name):
    """By number, by name, and by name and version; row numbers are left out, classes are strings."""
    dataset = load_dataset(f"openml:{name}", SOURCES)
    assert dataset.x.tolist() == [[1.5, 0], [2.5, 1], [3.5, 0]]
    assert dataset.y.tolist() == ["oak", "elm", "oak"]


@pytest.mark.usefixtures("openml")
@pytest.mark.filterwarnings("ignore:A network error occurred")
def test_openml_without_a_network_says_so(monkeypatch):
    """A set that is not in the cache ends in one line."""
    monkeypatch.setattr("sklearn.datasets._openml.time.sleep", lambda seconds: None)
    with pytest.raises(
        DataError, match=r"data source 'openml:8': OpenML did not give it: .*no network"
    ):
        load_dataset("openml:8", SOURCES)


def raising(rest):
    raise KeyError(rest)


@pytest.mark.parametrize(
    ("source", "reason"), [(raising, "KeyError: 'x'"), (list, "data must be a Dataset")]
)
def test_a_source_of_a_plugin_that_fails_is_named(source, reason):
    """Whatever it raises or returns."""
    with pytest.raises(DataError, match=f"data source 'mine:x': {reason}"):
        load_dataset("mine:x", {"mine": source})


def test_a_source_of_a_plugin_may_give_a_pair():
    """As from Python."""
    assert len(load_dataset("mine:x", {"mine": lambda rest: (X, Y)}).x) == len(X)


def test_columns_of_parts_stand_in_one_order():
    """Names that are there are heeded: another order would be another table."""
    train, other = Frame(a=[1, 2], b=[3, 4]), Frame(b=[3, 4], a=[1, 2])
    assert Dataset(train, [0, 1], train, [0, 1]).x_test is not None
    with pytest.raises(
        DataError, match="test part: its columns are b, a, those of the training part a, b"
    ):
        Dataset(train, [0, 1], other, [0, 1])


def test_a_file_without_its_scheme_is_told_it():
    """The likeliest slip of all."""
    with pytest.raises(DataError, match=r"did you mean 'npz:table\.npz'"):
        load_dataset("table.npz", SOURCES)
