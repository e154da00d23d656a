"""Sources that read pictures: the authors' SVHN files, folders of pictures, TensorFlow Datasets."""

import sys

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from nas_surgery.data import images
from nas_surgery.data.dataset import load_dataset
from nas_surgery.data.images import split_size
from nas_surgery.data.sources import SOURCES
from nas_surgery.errors import DataError
from nas_surgery.formats.large import room, rows

GENERATOR = np.random.default_rng(0)
DIGITS = {"train": np.array([3, 10, 1, 9, 10]), "test": np.array([10, 2])}


def as_matlab(count):
    """Images (32, 32, 3, N), as the authors hold them."""
    return GENERATOR.integers(0, 256, (32, 32, 3, count), dtype=np.uint8)


@pytest.fixture
def svhn(tmp_path):
    """A folder with both files of the cropped digits, and what they hold."""
    held = {name: as_matlab(len(digits)) for name, digits in DIGITS.items()}
    for name, x in held.items():
        content = {"X": x, "y": DIGITS[name][:, None].astype(np.uint8)}
        savemat(tmp_path / f"{name}_32x32.mat", content, do_compression=True)
    return tmp_path, held


def test_svhn_is_read_sample_by_sample(svhn):
    """Samples first, bytes as they are, and the label 10 is the digit 0."""
    folder, held = svhn
    found = load_dataset(f"svhn:{folder}", SOURCES)
    assert found.x.dtype == np.uint8
    for x, name in ((found.x, "train"), (found.x_test, "test")):
        assert x.shape == (len(DIGITS[name]), 32, 32, 3)
        for sample in range(len(x)):
            assert np.array_equal(x[sample], held[name][:, :, :, sample])
    assert found.y.tolist() == [3, 0, 1, 9, 0]
    assert found.y_test.tolist() == [0, 2]


def test_svhn_that_is_not_there_says_what_to_fetch(tmp_path):
    """Both files, from where, and into which folder."""
    with pytest.raises(DataError) as refusal:
        load_dataset(f"svhn:{tmp_path}", SOURCES)
    for word in ("train_32x32.mat", "test_32x32.mat", "ufldl.stanford.edu", f"into {tmp_path}"):
        assert word in str(refusal.value)


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        ({"X": np.zeros((32, 32, 3, 4), np.uint8)}, "and y ()"),
        ({"X": np.zeros((16, 32, 3, 4), np.uint8), "y": np.ones((4, 1))}, "got X (16, 32, 3, 4)"),
        ({"X": np.zeros((32, 32, 3, 4), np.uint8), "y": np.ones((3, 1))}, "y (3, 1)"),
        ({"X": np.zeros((32, 32, 3, 4)), "y": np.ones((4, 1))}, "must hold bytes"),
        ({"X": np.zeros((32, 32, 3, 4), np.uint8), "y": np.zeros((4, 1))}, "y 1 to 10"),
    ],
)
def test_files_that_are_not_svhns_are_refused(svhn, content, rule):
    """By file and by what it should hold."""
    folder, _ = svhn
    savemat(folder / "test_32x32.mat", content)
    with pytest.raises(DataError) as refusal:
        load_dataset(f"svhn:{folder}", SOURCES)
    assert f"{folder}/test_32x32.mat: " in str(refusal.value)
    assert rule in str(refusal.value)


@pytest.mark.parametrize("damage", ["empty", "short", "noise", "limit"])
def test_a_damaged_svhn_file_ends_in_one_line(svhn, damage, monkeypatch):
    """Whatever scipy makes of it."""
    folder, _ = svhn
    file = folder / "train_32x32.mat"
    content = file.read_bytes()
    if damage == "limit":
        monkeypatch.setenv("NAS_SURGERY_MAX_FILE_BYTES", str(4000))
    noise = GENERATOR.integers(0, 256, 5000, dtype=np.uint8).tobytes()
    file.write_bytes({"empty": b"", "short": content[:3000], "noise": noise}.get(damage, content))
    with pytest.raises(DataError, match=r"train_32x32\.mat: ") as refusal:
        load_dataset(f"svhn:{folder}", SOURCES)
    assert "\n" not in str(refusal.value)


def pictures(folder, mode="RGB", size=(5, 4), count=3, classes=("ant", "bee")):
    """PNG files in a folder for each class; the arrays in the order of names, (N, H, W[, C])."""
    made = []
    for label in classes:
        (folder / label).mkdir(parents=True)
        for number in range(count):
            shape = (size[1], size[0], *((3,) if mode == "RGB" else ()))
            made.append(GENERATOR.integers(0, 256, shape, dtype=np.uint8))
            Image.fromarray(made[-1]).save(folder / label / f"{number}.png")
    return np.array(made)


def test_a_folder_per_class_becomes_pictures_with_names(tmp_path):
    """In the order of names; what is hidden or no picture is left alone."""
    made = pictures(tmp_path)
    (tmp_path / ".cache").mkdir()
    (tmp_path / "ant" / "notes.txt").write_text("none")
    found = load_dataset(f"images:{tmp_path}", SOURCES)
    assert found.x.dtype == np.uint8
    assert np.array_equal(found.x, made)
    assert found.y.tolist() == ["ant"] * 3 + ["bee"] * 3
    assert found.x_test is None


def test_folders_may_be_parted_and_grey(tmp_path):
    """Below train and test; pictures that are all grey have one channel."""
    made = {part: pictures(tmp_path / part, "L", count=2) for part in ("train", "test")}
    found = load_dataset(f"images:{tmp_path}", SOURCES)
    assert np.array_equal(found.x, made["train"][..., None])
    assert np.array_equal(found.x_test, made["test"][..., None])
    assert found.y_test.tolist() == ["ant", "ant", "bee", "bee"]


def test_pictures_of_other_sizes_are_refused_or_resized(tmp_path):
    """The error names the file, and how all of them get one size; one colour makes all coloured."""
    pictures(tmp_path, "L", (5, 4), 1, ("ant",))
    pictures(tmp_path, "RGB", (8, 8), 1, ("bee",))
    with pytest.raises(DataError, match=r"bee/0\.png: 8x8 pixels, .* images:FOLDER@4x5 resizes"):
        load_dataset(f"images:{tmp_path}", SOURCES)
    found = load_dataset(f"images:{tmp_path}@4x5", SOURCES)
    assert found.x.shape == (2, 4, 5, 3)
    with Image.open(tmp_path / "bee" / "0.png") as picture:
        assert np.array_equal(found.x[1], np.asarray(picture.resize((5, 4))))


def test_a_size_is_what_looks_like_one():
    """Other folders with an @ in their names stay what they are."""
    assert split_size("a@b@32x48") == ("a@b", (32, 48))
    assert split_size("a@0x4") == ("a@0x4", None)
    assert split_size("a@home") == ("a@home", None)


def test_folders_without_pictures_say_what_is_missing(tmp_path, monkeypatch):
    """Each in one line."""

    def refusal():
        with pytest.raises(DataError) as refused:
            load_dataset(f"images:{tmp_path / 'all'}", SOURCES)
        return str(refused.value)

    assert "all: no such folder" in refusal()
    (tmp_path / "all").mkdir()
    assert "all: no folder in it" in refusal()
    pictures(tmp_path / "all")
    (tmp_path / "all" / "cow").mkdir()
    assert "no picture in 'cow'" in refusal()
    file = tmp_path / "all" / "cow" / "0.png"
    file.write_bytes(b"no picture")
    assert f"{file}: cannot be read" in refusal()
    file.write_bytes((tmp_path / "all" / "bee" / "0.png").read_bytes()[:60])
    assert f"{file}: cannot be read" in refusal()
    Image.fromarray(np.zeros((4, 5), np.uint16)).save(file)
    assert "colours of mode I;16" in refusal()
    file.unlink()
    (tmp_path / "all" / "cow").rmdir()
    monkeypatch.setenv("NAS_SURGERY_MAX_FILE_BYTES", "300")
    assert "6 pictures of shape (4, 5, 3) are 360 bytes" in refusal()


def test_without_pillow_the_extra_is_named(tmp_path, monkeypatch):
    """As pip wants it."""
    pictures(tmp_path)
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(DataError, match=r"pip install 'nas-surgery\[images\]'"):
        load_dataset(f"images:{tmp_path}", SOURCES)


def test_large_sets_of_pictures_lie_in_a_mapped_file(tmp_path, monkeypatch):
    """And hold the same."""
    made = pictures(tmp_path)
    monkeypatch.setattr(images, "room", lambda shape, dtype: room(shape, dtype, large=1))
    found = load_dataset(f"images:{tmp_path}", SOURCES)
    assert np.array_equal(found.x, made)
    assert isinstance(found.x.base, np.memmap)
    which = np.array([4, 0, 4])
    taken = rows(found.x, which, large=1)
    assert isinstance(taken.base, np.memmap)
    assert np.array_equal(taken, made[which])
