"""`tfds:NAME`, by a set that the library itself writes into an empty folder and reads again."""

import os
import sys
from importlib import import_module
from urllib.error import URLError

import numpy as np
import pytest

from nas_surgery.data.dataset import load_dataset
from nas_surgery.data.sources import SOURCES
from nas_surgery.errors import DataError

COUNTS = {"train": 9, "test": 3}


def tiny(tfds):
    """A set with pictures (4, 4, 3) whose every byte is their number, and labels that follow from it."""

    class TinyPictures(tfds.core.GeneratorBasedBuilder):
        VERSION = tfds.core.Version("1.0.0")
        pkg_dir_path = None

        def _info(self):
            label = tfds.features.ClassLabel(num_classes=3)
            features = {"image": tfds.features.Image(shape=(4, 4, 3)), "label": label}
            made = tfds.features.FeaturesDict(features)
            keys = ("image", "label")
            return tfds.core.DatasetInfo(builder=self, features=made, supervised_keys=keys)

        def _split_generators(self, manager):
            return {name: self._generate_examples(count) for name, count in COUNTS.items()}

        def _generate_examples(self, count):
            for i in range(count):
                yield i, {"image": np.full((4, 4, 3), i, np.uint8), "label": i % 3}

    class OutOfReach(TinyPictures):
        def _split_generators(self, manager):
            raise URLError("no network in tests")


@pytest.fixture
def tfds(tmp_path, monkeypatch):
    """The library with a folder of its own, and nothing printed that is not ours."""
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    library = import_module("tensorflow_datasets")
    monkeypatch.setattr(library.core.constants, "DATA_DIR", str(tmp_path))
    return library


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_sets_of_tensorflow_datasets_are_read_with_their_parts(tfds, tmp_path, capsys):
    """Bytes stay bytes, the official test part is the test part, the second time from the folder; a set
    that cannot be fetched names the folder where it has to be, and an unknown one is unknown."""
    tiny(tfds)
    for _ in range(2):
        found = load_dataset("tfds:tiny_pictures", SOURCES)
        assert found.x.dtype == np.uint8
        assert found.x.shape == (9, 4, 4, 3)
        assert sorted(found.x[:, 0, 0, 0].tolist()) == list(range(9))
        assert np.array_equal(found.x[:, 3, 3, 2] % 3, found.y)
        assert sorted(found.x_test[:, 0, 0, 0].tolist()) == [0, 1, 2]
        assert found.x_validation is None
    assert capsys.readouterr().out == ""
    with pytest.raises(DataError, match=r"did not give it: .*no network in tests") as refusal:
        load_dataset("tfds:out_of_reach", SOURCES)
    assert f"{tmp_path}/out_of_reach/1.0.0" in str(refusal.value)
    with pytest.raises(DataError, match=r"knows no such set: .*nowhere"):
        load_dataset("tfds:nowhere", SOURCES)


def test_without_the_library_the_extra_is_named(monkeypatch):
    """As pip wants it."""
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", None)
    with pytest.raises(DataError, match=r"pip install tensorflow 'nas-surgery\[tfds\]'"):
        load_dataset("tfds:cifar10", SOURCES)
