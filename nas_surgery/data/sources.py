"""The sources of data: what stands before the colon in `source = "npz:FILE"`."""

from collections.abc import Callable
from os.path import expanduser
from pathlib import Path
from typing import Any

from nas_surgery.data.dataset import KEYS, REQUIRED, Dataset, first_line, from_mapping
from nas_surgery.data.images import read_images
from nas_surgery.data.svhn import read_svhn
from nas_surgery.data.tables.reading import read_csv, read_parquet
from nas_surgery.data.tables.table import Table
from nas_surgery.data.tfds import read_tfds
from nas_surgery.errors import DataError, DataFileError, ModelFileError
from nas_surgery.formats.npz import array_names, read_arrays
from nas_surgery.formats.structuring import unknown_key


def read_npz(path: str) -> Dataset:
    """`npz:PATH`: a NumPy archive with x_train, y_train and optionally parts to test and validate on.

    Other arrays are left alone, but not those that could be meant as a part: x_val, y_tst.
    """
    file = Path(expanduser(path))
    try:
        for name in array_names(file):
            if name not in KEYS and name.startswith(("x_", "y_")):
                raise DataError(unknown_key(name, KEYS, []))
        return from_mapping(read_arrays(file, REQUIRED, KEYS[2:]))
    except (DataError, ModelFileError) as error:
        raise DataFileError(f"{file}: {error}") from None


def read_sklearn(name: str) -> Dataset:
    """`sklearn:NAME`: a set that scikit-learn bundles (digits, iris, wine, breast_cancer, diabetes)."""
    bundled = ("breast_cancer", "diabetes", "digits", "iris", "wine")
    if name not in bundled:
        raise DataError(f"not bundled with scikit-learn; those are {', '.join(bundled)}")
    from sklearn import datasets

    x, y = getattr(datasets, f"load_{name}")(return_X_y=True)
    return Dataset(x, y)


def read_openml(name: str) -> Dataset:
    """`openml:NAME` or `openml:NAME@VERSION` or `openml:ID`: fetched by scikit-learn and cached in its data home."""
    from sklearn.datasets import fetch_openml, get_data_home

    title, _, version = name.partition("@")
    which: dict[str, Any] = {"data_id": int(title)} if title.isdigit() else {"name": title}
    if version:
        which["version"] = int(version) if version.isdigit() else version
    try:
        bunch = fetch_openml(**which, as_frame=False, parser="liac-arff")
    except Exception as error:  # scikit-learn raises many kinds, of network, cache and parsing
        raise DataError(
            f"OpenML did not give it: {first_line(error)}; where there is no network, copy the folder"
            f" openml/ from the scikit-learn data home of a machine that has fetched it to {get_data_home()}"
        ) from None
    return Dataset(bunch.data, bunch.target)


SOURCES: dict[str, Callable[[str], Dataset | Table]] = {
    "sklearn": read_sklearn,
    "npz": read_npz,
    "openml": read_openml,
    "tfds": read_tfds,
    "images": read_images,
    "svhn": read_svhn,
    "csv": read_csv,
    "parquet": read_parquet,
}
