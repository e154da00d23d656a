"""`tfds:NAME`: sets of the TensorFlow Datasets catalogue, such as `tfds:cifar10` and `tfds:eurosat/rgb`."""

import sys
from collections.abc import Mapping
from contextlib import redirect_stdout
from typing import Any

import numpy as np

from nas_surgery.data.dataset import Dataset, first_line
from nas_surgery.errors import DataError
from nas_surgery.network import Array

NEEDED = "it needs TensorFlow and its datasets: pip install tensorflow 'nas-surgery[tfds]'"
SPLITS = ("train", "test", "validation")  # in the order of a Dataset


def read_tfds(name: str) -> Dataset:
    """The splits train, test and validation, as far as there are such; fetched by the library, and kept in
    its own folder (`TFDS_DATA_DIR`). Raises DataError, which says where a set has to be."""
    tfds = _library()
    try:
        builder = tfds.builder(name)
    except Exception as error:  # the library raises many kinds
        raise DataError(f"TensorFlow Datasets knows no such set: {first_line(error)}") from None
    try:
        with redirect_stdout(sys.stderr):  # where the library tells what it fetches
            builder.download_and_prepare()
        present = [split for split in SPLITS if split in builder.info.splits]
        held = {split: _arrays(tfds, builder, split) for split in present}
    except DataError:
        raise
    except ImportError:  # it reads its records by TensorFlow, which it does not bring along
        raise DataError(NEEDED) from None
    except Exception as error:
        raise DataError(
            f"TensorFlow Datasets did not give it: {first_line(error)}; where there is no network, copy"
            f" {builder.data_dir} from a machine that has fetched it to the same place (TFDS_DATA_DIR"
            " names another root)"
        ) from None
    if "train" not in held:
        raise DataError(f"it has no split 'train', but {', '.join(builder.info.splits)}")
    return Dataset(*(array for split in SPLITS for array in held.get(split, (None, None))))


def _library() -> Any:
    try:
        import tensorflow_datasets
    except ImportError:
        raise DataError(NEEDED) from None
    return tensorflow_datasets


def _arrays(tfds: Any, builder: Any, split: str) -> tuple[Array, Array]:
    """Inputs and labels of a split, in the order in which they are stored."""
    if builder.info.supervised_keys is None:
        raise DataError("it names no input and label; write them to a file for npz:FILE")
    whole = builder.as_dataset(split=split, batch_size=-1, as_supervised=True, shuffle_files=False)
    x, y = tfds.as_numpy(whole)
    if isinstance(x, Mapping) or not isinstance(x, np.ndarray):
        raise DataError(f"its inputs are {type(x).__name__}, not one array")
    return x, y
