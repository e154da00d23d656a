"""NumPy archives, read so that a damaged or hostile file costs neither memory nor trust.

`numpy.load` allocates what a header declares before it reads, takes the last of two members of one
name, ignores what stands behind an array, and advises to unpickle whatever it does not know. Here
everything declared is compared with what is there before it is unpacked. Arrays of either byte order
come out in the machine's own.
"""

import io
import struct
import tokenize
import warnings
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.lib import format as npy

from nas_surgery.errors import DataError
from nas_surgery.formats.regular_file import open_regular, size_limit
from nas_surgery.network import Array

MAX_DIRECTORY = 2**20  # bytes of the zip directory: some 10,000 members
MAX_HEADER = 1024  # bytes of an array's header, a Python literal; ordinary ones have 118
MAX_RATIO = 100  # unpacked to packed size, of members above SMALL bytes
SMALL = 2**24
CHUNK = 2**20

_HEADERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    tokenize.TokenError,
    ArithmeticError,
    EOFError,
    LookupError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
)


def read_arrays(file: Path, needed: Sequence[str], also: Sequence[str] = ()) -> dict[str, Array]:
    """The needed arrays, and of the others those that are there; all of them, or none.

    Numbers and strings are read. Raises DataError, or ModelFileError for what is no regular file or too
    large; `NAS_SURGERY_MAX_FILE_BYTES` sets how much may be unpacked. The path is left to the caller.
    """
    with _open(file) as (archive, members):
        wanted = _wanted(members, needed, also)
        _check_total(wanted, size_limit())
        return {key: _array(archive, info) for key, info in wanted.items()}


def array_names(file: Path) -> tuple[str, ...]:
    """Names of the arrays in an archive; errors as of `read_arrays`."""
    with _open(file) as (_, members):
        return tuple(members)


def read_array(file: Path) -> Array:
    """The array in an npy file; errors as of `read_arrays`."""
    with _readable("npy file of a plain array"), open_regular(file, size_limit()) as opened:
        return _parsed(*opened, "it")


@contextmanager
def _open(file: Path) -> Iterator[tuple[zipfile.ZipFile, dict[str, zipfile.ZipInfo]]]:
    with (
        _readable("npz file of plain arrays"),
        open_regular(file, size_limit()) as (content, size),
        zipfile.ZipFile(_Bounded(content, size)) as archive,
    ):
        yield archive, _members(archive, size)


@contextmanager
def _readable(kind: str) -> Iterator[None]:
    try:
        yield
    except _DAMAGE as error:
        raise DataError(f"not a readable {kind}: {_first(error)}") from None


def _first(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def _wanted(
    members: Mapping[str, zipfile.ZipInfo], needed: Sequence[str], also: Sequence[str]
) -> dict[str, zipfile.ZipInfo]:
    missing = [key for key in needed if key not in members]
    if missing:
        held = ", ".join(members) or "nothing"
        raise DataError(f"{' and '.join(missing)} missing; it holds {held}")
    return {key: members[key] for key in (*needed, *also) if key in members}


class _Bounded(io.RawIOBase):
    """A file as zipfile sees it: no single read is longer than a zip directory may be."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file, self._size = file, size

    def read(self, size: int = -1) -> bytes:
        if size < 0:
            size = max(self._size - self._file.tell(), 0)
        if size > MAX_DIRECTORY:
            raise zipfile.BadZipFile(f"a directory of {size:,} bytes is too long")
        return self._file.read(size)

    def seek(self, offset: int, whence: int = 0) -> int:
        if whence == 0 and not 0 <= offset <= self._size:
            raise zipfile.BadZipFile(f"byte {offset:,} is not in the file")
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True


def _members(archive: zipfile.ZipFile, size: int) -> dict[str, zipfile.ZipInfo]:
    """The members by array name, each compared with the size of the file."""
    members: dict[str, zipfile.ZipInfo] = {}
    for info in archive.infolist():
        name = info.orig_filename
        if not name or ".." in name or set(name) & set("/\\:\0"):
            raise DataError(f"member {name!r} is a path, not a name")
        if name in members:
            raise DataError(f"the archive holds {name!r} twice")
        _check_sizes(info, size)
        members[name] = info
    return {name[:-4]: info for name, info in members.items() if name.endswith(".npy")}


def _check_sizes(info: zipfile.ZipInfo, size: int) -> None:
    name, packed, unpacked = info.orig_filename, info.compress_size, info.file_size
    if info.flag_bits & 1:
        raise DataError(f"{name} is encrypted")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise DataError(f"{name} is packed by a method that NumPy does not use")
    if info.header_offset + packed > size:
        raise DataError(f"{name} is truncated")
    if info.compress_type == zipfile.ZIP_STORED and packed != unpacked:
        raise DataError(f"{name} declares {unpacked:,} bytes, but holds {packed:,} bytes")
    if unpacked > SMALL and unpacked > MAX_RATIO * packed:
        raise DataError(
            f"{name} would unpack from {packed:,} to {unpacked:,} bytes, more than {MAX_RATIO} times;"
            " if that is meant, write the file with numpy.savez"
        )


def _check_total(members: Mapping[str, zipfile.ZipInfo], limit: int) -> None:
    total = sum(info.file_size for info in members.values())
    if total > limit:
        raise DataError(f"it would unpack to {total:,} bytes, more than the limit of {limit:,}")


def _array(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Array:
    with archive.open(info) as stream:
        return _parsed(stream, info.file_size, info.filename)


def _parsed(stream: Any, size: int, name: str) -> Array:
    """The array in a stream of `size` bytes."""
    start = stream.read(MAX_HEADER + 16)  # 16: magic string, version and length
    shape, fortran, dtype, offset = _header(start, name)
    _check_dtype(dtype, name)
    declared, held = prod(shape) * dtype.itemsize, size - offset
    if declared != held:
        raise DataError(
            f"{name} declares shape {shape} of {dtype} ({declared} bytes), but holds {held} bytes"
        )
    array = np.empty(prod(shape), dtype)
    _fill(array, stream, start[offset:])
    _check_values(array, name)
    native = _native(array)
    return native.reshape(shape[::-1]).T if fortran else native.reshape(shape)


def _header(start: bytes, name: str) -> tuple[tuple[int, ...], bool, np.dtype[Any], int]:
    """Shape, whether it is in Fortran order, dtype, and where the array begins."""
    file = io.BytesIO(start)
    version = npy.read_magic(file)
    if version not in _HEADERS:  # 3.0 is for records alone
        raise DataError(f"{name}: version {version} of the npy format is not known")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of headers by Python 2, and of escapes in damaged ones
        shape, fortran, dtype = _HEADERS[version](file, max_header_size=MAX_HEADER)
    if not all(type(n) is int and n >= 0 for n in shape):
        raise DataError(f"{name}: {shape} is not a shape")
    return shape, fortran, dtype, file.tell()


def _check_dtype(dtype: np.dtype[Any], name: str) -> None:
    if dtype.hasobject:
        raise DataError(f"{name} holds Python objects; only plain arrays are read")
    number = dtype.kind in "fiub" and dtype.itemsize <= 8
    string = dtype.kind in "US" and dtype.itemsize > 0  # NumPy makes 1 byte of 0
    if dtype.shape or not (number or string):
        raise DataError(f"{name} must hold numbers or strings, got dtype {dtype}")


def _fill(array: Array, stream: Any, start: bytes) -> None:
    """Unpack into the array; zipfile compares the CRC when the end is reached."""
    target = array.view(np.uint8).data
    target[: len(start)] = start
    done = len(start)
    while done < len(target):
        count = stream.readinto(target[done : done + CHUNK])
        if not count:
            raise EOFError("truncated")
        done += count


def _check_values(array: Array, name: str) -> None:
    """Refuse bytes that NumPy never writes and that break what works with the array later."""
    if array.dtype.kind == "b" and (array.view(np.uint8) > 1).any():
        raise DataError(f"{name} holds bytes that are neither true nor false")
    if array.dtype.kind == "U" and array.nbytes:
        points = array.view(np.dtype(np.uint32).newbyteorder(array.dtype.byteorder))
        if ((points > 0x10FFFF) | ((points >= 0xD800) & (points < 0xE000))).any():
            raise DataError(f"{name} holds strings that are not Unicode")


def _native(array: Array) -> Array:
    if array.dtype.isnative:
        return array
    return array.byteswap(inplace=True).view(array.dtype.newbyteorder("="))
