"""Files of our own: written such that no half-written one is ever seen, and never through a link."""

import errno
import os
import stat
from itertools import count
from os.path import lexists
from pathlib import Path
from secrets import token_hex
from typing import BinaryIO, cast

from nas_surgery.errors import NasSurgeryError
from nas_surgery.failpoints import failpoint

TEMPORARY = ".nas-surgery-"
LINK = "a symbolic link; nothing is written through links"

_OWN = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)


def write_atomically(path: Path, content: bytes, synced: bool = True) -> None:
    """Temporary file in the same folder, fsync, rename, fsync of the folder.

    Without `synced` there is no fsync: whole or not there if the process dies, but not if the machine does.
    A link at `path` is replaced, not followed.
    """
    temporary = path.with_name(f"{TEMPORARY}{token_hex(8)}")
    try:
        try:
            with open_own(temporary, "xb") as file:
                failpoint("file.open")
                file.write(content)
                file.flush()
                failpoint("file.written")
                if synced:
                    os.fsync(file.fileno())
            failpoint("file.synced")
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        failpoint("file.renamed")
        if synced:
            sync(path.parent)
    except OSError as error:
        raise NasSurgeryError(f"{path}: cannot be written: {error.strerror or error}") from None


def open_own(path: Path, mode: str) -> BinaryIO:
    """Open a file that is written in place. No link is followed, and nothing but a regular file is
    opened or waited for; OSError says what is there instead. Its mode is left to the umask."""
    return cast(BinaryIO, open(path, mode, opener=_opened))


def is_own(path: Path) -> bool:
    """Whether a regular file, and no link to one, is at the path."""
    return path.is_file() and not path.is_symlink()


def unused(path: Path, word: str) -> Path:
    """The first of `NAME-WORD.SUFFIX`, `NAME-WORD-2.SUFFIX`, … that is not there, not even as a link."""
    names = (f"{path.stem}-{word}{f'-{i}' if i > 1 else ''}{path.suffix}" for i in count(1))
    return next(file for file in map(path.with_name, names) if not lexists(file))


def remove_temporaries(folder: Path) -> None:
    """Remove what a killed process left of files that it was writing here."""
    for file in filter(is_own, folder.glob(f"{TEMPORARY}*")):
        file.unlink()


def sync(path: Path) -> None:
    """Make sure that a file, or the names in a folder, are on the disk itself."""
    if os.name == "nt" and path.is_dir():
        return  # Windows syncs no folders
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _opened(path: str, flags: int) -> int:
    if os.path.islink(path):  # for a clear word, and for systems without O_NOFOLLOW
        raise OSError(errno.ELOOP, LINK, path)
    descriptor = os.open(path, flags | _OWN, 0o666)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "not a regular file", path)
    return descriptor
