"""`images:FOLDER`: a folder of pictures for each class, read by Pillow."""

import re
import warnings
from math import prod
from os.path import expanduser
from pathlib import Path
from typing import Any

import numpy as np

from nas_surgery.data.dataset import Dataset, first_line
from nas_surgery.errors import DataError, DataFileError
from nas_surgery.formats.large import room
from nas_surgery.formats.regular_file import size_limit
from nas_surgery.network import Array

NEEDED = "pictures are read by Pillow: pip install 'nas-surgery[images]'"
PARTS = ("train", "test", "validation")  # in the order of a Dataset
SUFFIXES = {".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"}
GREY = {"1", "L"}
COLOURED = {"P", "PA", "RGB", "RGBA", "LA", "CMYK", "YCbCr"}  # LA is grey, but seldom alone

Found = dict[str, list[Path]]  # the pictures of each class


def read_images(source: str) -> Dataset:
    """`images:FOLDER` or `images:FOLDER@HEIGHTxWIDTH`: bytes (N, H, W, 3), or (N, H, W, 1) where all are
    grey, with the folders' names as labels, in the order of names.

    FOLDER holds a folder for each class; or `train`, and perhaps `test` and `validation`, which do. All
    pictures have one size, or are resized to the one that is given. Raises DataFileError.
    """
    folder, size = split_size(source)
    root = Path(expanduser(folder))
    if not root.is_dir():
        raise DataFileError(f"{root}: no such folder")
    parts = [_part(root / name) if (root / name).is_dir() else None for name in PARTS]
    if parts[0] is None:
        parts = [_part(root), None, None]
    pictures = [file for part in parts if part for files in part.values() for file in files]
    shape = _shape(pictures, size)
    _check_total(len(pictures), shape)
    return Dataset(*(array for part in parts for array in _arrays(part, shape)))


def split_size(source: str) -> tuple[str, tuple[int, int] | None]:
    """The folder of a source, and the (height, width) behind its `@`."""
    found = re.fullmatch(r"(.+)@([1-9]\d{0,4})x([1-9]\d{0,4})", source, re.DOTALL)
    return (found[1], (int(found[2]), int(found[3]))) if found else (source, None)


def _part(folder: Path) -> Found:
    """The pictures of each class of a part; what is hidden is left alone."""
    found = {each.name: _pictures(each) for each in _listed(folder) if each.is_dir()}
    empty = [name for name, files in found.items() if not files]
    if not found or empty:
        lacking = f"no picture in {empty[0]!r}" if empty else "no folder in it"
        raise DataFileError(
            f"{folder}: {lacking}; a folder for each class is needed, with its pictures"
        )
    return found


def _pictures(folder: Path) -> list[Path]:
    return [each for each in _listed(folder) if each.suffix.lower() in SUFFIXES and each.is_file()]


def _listed(folder: Path) -> list[Path]:
    return sorted(each for each in folder.iterdir() if not each.name.startswith("."))


def _shape(pictures: list[Path], size: tuple[int, int] | None) -> tuple[int, int, int]:
    """(H, W, C) of all pictures, by their headers alone; DataFileError where their sizes differ."""
    channels, first = 1, None
    for file in pictures:
        with _opened(file) as picture:
            mode, found = picture.mode, (picture.height, picture.width)
        if mode not in GREY | COLOURED:
            raise DataFileError(f"{file}: colours of mode {mode} would lose in 8 bits; convert it")
        channels = 1 if channels == 1 and mode in GREY else 3
        first = first or found
        if size is None and found != first:
            raise DataFileError(
                f"{file}: {_times(found)} pixels, where {pictures[0].name} has {_times(first)};"
                f" images:FOLDER@{_times(first)} resizes all"
            )
    height, width = size or first or (0, 0)
    return height, width, channels


def _times(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"


def _check_total(count: int, shape: tuple[int, int, int]) -> None:
    if count * prod(shape) > size_limit():
        raise DataError(
            f"{count} pictures of shape {shape} are {count * prod(shape):,} bytes, more than the limit"
            f" of {size_limit():,}"
        )


def _arrays(part: Found | None, shape: tuple[int, int, int]) -> tuple[Array | None, Array | None]:
    """Pictures (N, H, W, C) and the names of their folders (N,)."""
    if part is None:
        return None, None
    files = [(name, file) for name, pictures in part.items() for file in pictures]
    x = room((len(files), *shape), np.dtype(np.uint8))
    for place, (_, file) in enumerate(files):
        x[place] = _pixels(file, shape)
    return x, np.array([name for name, _ in files])


def _pixels(file: Path, shape: tuple[int, int, int]) -> Array:
    height, width, channels = shape
    with _opened(file) as picture:
        try:
            plain = picture.convert("L" if channels == 1 else "RGB")
            if plain.size != (width, height):
                plain = plain.resize((width, height))
        except Exception as error:  # Pillow decodes here, and raises many kinds
            raise DataFileError(f"{file}: cannot be read: {first_line(error)}") from None
    return np.asarray(plain).reshape(shape)


def _opened(file: Path) -> Any:
    try:
        from PIL import Image
    except ImportError:
        raise DataError(NEEDED) from None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            return Image.open(file)
    except Exception as error:
        raise DataFileError(f"{file}: cannot be read: {first_line(error)}") from None
