"""NumPy archives, read so that a damaged or hostile file costs neither memory nor trust.

`numpy.load` allocates what a header declares before it reads, takes the last of two members of one
name, ignores what stands behind an array, and advises to unpickle whatever it does not know.
"""

import zipfile
import zlib
from collections import Counter
from collections.abc import Sequence
from math import prod
from pathlib import Path

from numpy.lib import format as npy

from nas_surgery.errors import DataError
from nas_surgery.network import Array

_DAMAGE = (zipfile.BadZipFile, zlib.error, OSError, EOFError, ValueError, RuntimeError, SyntaxError)
_HEADERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}


def read_arrays(file: Path, needed: Sequence[str], also: Sequence[str] = ()) -> dict[str, Array]:
    """The needed arrays, and of the others those that are there; DataError says what is wrong."""
    try:
        with zipfile.ZipFile(file) as archive:
            members = _members(archive)
            missing = [key for key in needed if key not in members]
            if missing:
                held = ", ".join(members) or "nothing"
                raise DataError(f"{' and '.join(missing)} missing; it holds {held}")
            wanted = [key for key in (*needed, *also) if key in members]
            return {key: _array(archive, members[key]) for key in wanted}
    except _DAMAGE as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise DataError(f"not a readable npz file of plain arrays: {reason}") from None


def _members(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    names = Counter(archive.namelist())
    twice = next((name for name, count in names.items() if count > 1), None)
    if twice is not None:
        raise DataError(f"the archive holds {twice!r} twice")
    return {info.filename.removesuffix(".npy"): info for info in archive.infolist()}


def _array(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Array:
    with archive.open(info) as stream:
        version = npy.read_magic(stream)
        if version not in _HEADERS:
            raise DataError(f"{info.filename}: version {version} of the npy format is not known")
        shape, _, dtype = _HEADERS[version](stream)
        declared, held = prod(shape) * dtype.itemsize, info.file_size - stream.tell()
    if dtype.hasobject:
        raise DataError(f"{info.filename} holds Python objects; only plain arrays are read")
    if declared != held:
        raise DataError(
            f"{info.filename} declares shape {shape} of {dtype} ({declared} bytes),"
            f" but holds {held} bytes"
        )
    with archive.open(info) as stream:
        array: Array = npy.read_array(stream, allow_pickle=False)
    return array
