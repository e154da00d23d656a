"""Opening files that may be anything: no pipe, device or directory, and nothing above a size limit."""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from nas_surgery.network.errors import ModelFileError

LIMIT_VARIABLE = "NAS_SURGERY_MAX_FILE_BYTES"
DEFAULT_LIMIT = 2**32

_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0)
_FLAGS |= getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)


def size_limit() -> int:
    """Bytes that a model or data file may have, unpacked: 4 GiB or what the environment says."""
    text = os.environ.get(LIMIT_VARIABLE, "")
    if not text:
        return DEFAULT_LIMIT
    if not text.isdecimal() or len(text) > 18:
        raise ModelFileError(f"{LIMIT_VARIABLE} must be a whole number of bytes, got {text!r}")
    return int(text)


@contextmanager
def open_regular(path: Path, limit: int) -> Iterator[tuple[BinaryIO, int]]:
    """The open file and its size in bytes; ModelFileError, without the path, for what is no such file.

    Opening never blocks, and what is checked is what was opened.
    """
    if "\0" in str(path):
        raise ModelFileError("no file name holds a NUL")
    try:
        _check(os.stat(path), limit)  # before opening, which a device may notice
        with os.fdopen(os.open(path, _FLAGS), "rb") as file:
            yield file, _check(os.fstat(file.fileno()), limit)
    except OSError as error:
        raise ModelFileError(error.strerror or str(error)) from None
    except MemoryError:
        raise ModelFileError("there is not enough memory to read it") from None


def read_regular(path: Path, limit: int) -> bytes:
    """The whole content of a file; ModelFileError, without the path, if it is no regular file."""
    with open_regular(path, limit) as (file, size):
        return read_exactly(file, size)


def read_exactly(file: BinaryIO, size: int) -> bytes:
    """All that is left of a file, which must be `size` bytes."""
    content = file.read(size + 1)
    if len(content) != size:
        raise ModelFileError("it changed while it was read")
    return content


def _check(status: os.stat_result, limit: int) -> int:
    if stat.S_ISDIR(status.st_mode):
        raise ModelFileError(os.strerror(errno.EISDIR))
    if not stat.S_ISREG(status.st_mode):
        raise ModelFileError("not a regular file")
    if status.st_size > limit:
        raise ModelFileError(f"larger than {limit} bytes")
    return status.st_size
