"""Files: saving and loading networks by suffix, and writing so that no half-written file is ever seen."""

import errno
import os
import stat
from collections.abc import Mapping
from itertools import count
from os.path import exists, isdir, isfile, lexists
from pathlib import Path
from secrets import token_hex
from typing import Any, BinaryIO, cast

from nas_surgery.errors import ModelFileError, NasSurgeryError
from nas_surgery.failpoints import failpoint
from nas_surgery.formats.safetensors import load_safetensors, to_bytes
from nas_surgery.network import Network, as_mapping, as_path, expect_network

TEMPORARY = ".nas-surgery-"
SUFFIXES = (".safetensors", ".onnx")
LINK = "a symbolic link; nothing is written through links"

_OWN = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)


def save(network: Network, path: str | Path, metadata: Mapping[str, Any] | None = None) -> None:
    """Write a network as `.safetensors` or `.onnx`, by the suffix of `path`.

    metadata: JSON values to keep in an ONNX file. Raises ModelFileError for another suffix.
    """
    expect_network("network", network)
    file, held = as_path("path", path), as_mapping("metadata", metadata)
    if _suffix(file) == ".onnx":
        from nas_surgery.formats.onnx.export import export_onnx

        write_atomically(file, export_onnx(network, held))
    else:
        write_atomically(file, to_bytes(network))


def load(path: str | Path) -> Network:
    """Read a network that `save` wrote, or the winner in a run directory.

    Raises ModelFileError, which names the file and the reason.
    """
    file = model_file(as_path("path", path))
    if _suffix(file) == ".onnx":
        from nas_surgery.formats.onnx.export import read_onnx

        return read_onnx(file)
    return load_safetensors(file)


def model_file(path: Path) -> Path:
    """The file itself, or the winner's in a run directory; ModelFileError if there is none."""
    if path.suffix in SUFFIXES:
        return path
    if not exists(path):
        raise ModelFileError(f"{path}: No such file or directory")
    winner = path / "winner.safetensors"
    if isdir(path) and not exists(path / "spec.toml") and not isfile(winner):
        raise ModelFileError(f"{path}: a directory without a run")
    if isdir(path) and not isfile(winner):
        raise ModelFileError(
            f"{path}: no winner.safetensors in it; a run that has not ended goes on with:"
            f" nas-surgery resume {path}"
        )
    return winner if isdir(path) else path


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


def _suffix(file: Path) -> str:
    if file.suffix not in SUFFIXES:
        raise ModelFileError(f"{file}: the suffix must be one of {', '.join(SUFFIXES)}")
    return file.suffix
