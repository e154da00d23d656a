"""NumPy archives (npz) of unknown origin: everything declared is checked before it is unpacked.

Read are plain numbers and, where asked for, strings, of either byte order; they come out in the
machine's own. Refused are pickled objects, records, damaged or encrypted members, members whose names
are paths or are there twice, and archives that unpack to much more than they are.
"""

import io
import struct
import tokenize
import warnings
import zipfile
import zlib
from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.lib import format as npy

from nas_surgery.network import Array, ModelFileError
from nas_surgery.network.regular_file import open_regular, size_limit

MAX_DIRECTORY = 2**20  # bytes of the zip directory: some 10,000 members
MAX_HEADER = 1024  # bytes of an array's header, a Python literal; ordinary ones have 118
MAX_RATIO = 100  # unpacked to packed size, of members above SMALL bytes
SMALL = 2**24
CHUNK = 2**20
NUMBERS, STRINGS = "fiub", "US"

_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    tokenize.TokenError,
    ArithmeticError,
    EOFError,
    NotImplementedError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
)


def read_arrays(path: Path, kinds: Mapping[str, str]) -> dict[str, Array]:
    """Those arrays named in `kinds` that an archive holds, unpacked whole or not at all.

    kinds: dtype kinds allowed by name. Raises ModelFileError, without the path, for an archive that
    cannot be read safely and completely. `NAS_SURGERY_MAX_FILE_BYTES` sets how much may be unpacked.
    """
    limit = size_limit()
    with open_regular(path, limit) as (file, size):
        try:
            with zipfile.ZipFile(_Bounded(file, size)) as archive:  # type: ignore[arg-type]
                members = _members(archive, size)
                wanted = {name: members[name] for name in kinds if name in members}
                _check_total(wanted, limit)
                if not wanted:
                    held = ", ".join(members) or "nothing"
                    raise ModelFileError(f"it holds none of {', '.join(kinds)}, but {held}")
                return {n: _read(archive, info, n, kinds[n]) for n, info in wanted.items()}
        except _DAMAGE as error:
            raise ModelFileError(f"not a readable npz file: {error}") from None


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
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True


def _members(archive: zipfile.ZipFile, size: int) -> dict[str, zipfile.ZipInfo]:
    """The members by array name, each checked against the size of the file."""
    members: dict[str, zipfile.ZipInfo] = {}
    for info in archive.infolist():
        name = info.orig_filename
        if not name or ".." in name or set(name) & set("/\\:\0"):
            raise ModelFileError(f"member {name!r} is a path, not a name")
        if name in members:
            raise ModelFileError(f"member {name!r} is there twice")
        _check_sizes(info, size)
        members[name] = info
    return {name.removesuffix(".npy"): info for name, info in members.items() if name[-4:] == ".npy"}


def _check_sizes(info: zipfile.ZipInfo, size: int) -> None:
    name, packed, unpacked = info.orig_filename, info.compress_size, info.file_size
    if info.flag_bits & 1:
        raise ModelFileError(f"{name}: encrypted")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ModelFileError(f"{name}: packed by a method that NumPy does not use")
    if info.header_offset + packed > size:
        raise ModelFileError(f"{name}: truncated")
    if info.compress_type == zipfile.ZIP_STORED and packed != unpacked:
        raise ModelFileError(f"{name}: {packed:,} bytes are there, {unpacked:,} declared")
    if unpacked > SMALL and unpacked > MAX_RATIO * packed:
        raise ModelFileError(
            f"{name}: unpacks from {packed:,} to {unpacked:,} bytes, more than {MAX_RATIO} times;"
            " if that is meant, write the file with numpy.savez"
        )


def _check_total(members: Mapping[str, zipfile.ZipInfo], limit: int) -> None:
    total = sum(info.file_size for info in members.values())
    if total > limit:
        raise ModelFileError(f"unpacks to {total:,} bytes, more than the limit of {limit:,}")


def _read(archive: zipfile.ZipFile, info: zipfile.ZipInfo, name: str, kinds: str) -> Array:
    with archive.open(info) as member:
        start = member.read(MAX_HEADER + 16)  # of the magic string, the version and the length
        shape, fortran, dtype, offset = _header(start, name)
        _check_dtype(name, dtype, kinds)
        body = info.file_size - offset
        if prod(shape) * dtype.itemsize != body:
            raise ModelFileError(
                f"{name}: shape {shape} of {dtype} does not fill its {body:,} bytes"
            )
        array = np.empty(prod(shape), dtype)
        _fill(array, member, start[offset:])
    _check_values(name, array)
    native = _native(array)
    return native.reshape(shape[::-1]).T if fortran else native.reshape(shape)


def _header(start: bytes, name: str) -> tuple[tuple[int, ...], bool, np.dtype[Any], int]:
    """Shape, whether it is in Fortran order, dtype, and where the array begins."""
    file = io.BytesIO(start)
    version = npy.read_magic(file)
    readers = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
    if version not in readers:  # 3.0 is for records alone
        raise ModelFileError(f"{name}: npy version {version} does not hold plain arrays")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of headers by Python 2, and of escapes in damaged ones
        shape, fortran, dtype = readers[version](file, max_header_size=MAX_HEADER)
    if not all(type(n) is int and n >= 0 for n in shape):
        raise ModelFileError(f"{name}: {shape} is not a shape")
    return shape, fortran, dtype, file.tell()


def _check_dtype(name: str, dtype: np.dtype[Any], kinds: str) -> None:
    plain = dtype.fields is None and dtype.subdtype is None
    if not plain or dtype.kind not in kinds or (dtype.kind in NUMBERS and dtype.itemsize > 8):
        what = "numbers or strings" if STRINGS in kinds else "numbers"
        raise ModelFileError(f"{name}: plain {what} are needed, got dtype {dtype}")


def _fill(array: Array, member: Any, start: bytes) -> None:
    """Unpack into the array; zipfile checks the length and the CRC at the end."""
    target = memoryview(array.view(np.uint8)) if array.size else memoryview(bytearray())
    target[: len(start)] = start
    done = len(start)
    while done < len(target):
        count = member.readinto(target[done : done + CHUNK])
        if not count:
            raise EOFError("truncated")
        done += count
    member.read(1)


def _check_values(name: str, array: Array) -> None:
    """Bytes that no NumPy would have written can break what works with the array later."""
    if array.dtype.kind == "b" and array.size and array.view(np.uint8).max() > 1:
        raise ModelFileError(f"{name}: bytes that are neither true nor false")
    if array.dtype.kind == "U" and array.dtype.itemsize and array.size:
        points = array.view(array.dtype.byteorder.replace("|", "=") + "u4")
        if points.max() > 0x10FFFF or ((points >= 0xD800) & (points < 0xE000)).any():
            raise ModelFileError(f"{name}: strings that are not Unicode")


def _native(array: Array) -> Array:
    if array.dtype.isnative:
        return array
    return array.byteswap(inplace=True).view(array.dtype.newbyteorder("="))
