"""Files: saving and loading networks by suffix, and writing so that no half-written file is ever seen."""

import os
from collections.abc import Mapping
from itertools import count
from os.path import exists, isdir, isfile
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

from nas_surgery.errors import ModelFileError, NasSurgeryError
from nas_surgery.failpoints import failpoint
from nas_surgery.network import Network, as_mapping, as_path, expect_network
from nas_surgery.network.storage import load_safetensors, to_bytes

TEMPORARY = ".nas-surgery-"
SUFFIXES = (".safetensors", ".onnx")


def save(network: Network, path: str | Path, metadata: Mapping[str, Any] | None = None) -> None:
    """Write a network as `.safetensors` or `.onnx`, by the suffix of `path`.

    metadata: JSON values to keep in an ONNX file. Raises ModelFileError for another suffix.
    """
    expect_network("network", network)
    file, held = as_path("path", path), as_mapping("metadata", metadata)
    if _suffix(file) == ".onnx":
        from nas_surgery.onnx_io import export_onnx

        write_atomically(file, export_onnx(network, held))
    else:
        write_atomically(file, to_bytes(network))


def load(path: str | Path) -> Network:
    """Read a network that `save` wrote, or the winner in a run directory.

    Raises ModelFileError, which names the file and the reason.
    """
    file = model_file(as_path("path", path))
    if _suffix(file) == ".onnx":
        from nas_surgery.onnx_io import read_onnx

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
    """
    try:
        with NamedTemporaryFile(dir=path.parent, prefix=TEMPORARY, delete=False) as file:
            temporary = Path(file.name)
            try:
                failpoint("file.open")
                file.write(content)
                file.flush()
                failpoint("file.written")
                if synced:
                    os.fsync(file.fileno())
                os.fchmod(file.fileno(), 0o666 & ~_umask())
                failpoint("file.synced")
                temporary.rename(path)
            except BaseException:
                temporary.unlink(missing_ok=True)
                raise
        failpoint("file.renamed")
        if synced:
            sync(path.parent)
    except OSError as error:
        raise NasSurgeryError(f"{path}: cannot be written: {error.strerror or error}") from None


def unused(path: Path, word: str) -> Path:
    """The first of `NAME-WORD.SUFFIX`, `NAME-WORD-2.SUFFIX`, … that is not there."""
    names = (f"{path.stem}-{word}{f'-{i}' if i > 1 else ''}{path.suffix}" for i in count(1))
    return next(file for file in map(path.with_name, names) if not file.exists())


def remove_temporaries(folder: Path) -> None:
    """Remove what a killed process left of files that it was writing here."""
    for file in folder.glob(f"{TEMPORARY}*"):
        file.unlink()


def sync(path: Path) -> None:
    """Make sure that a file, or the names in a folder, are on the disk itself."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _suffix(file: Path) -> str:
    if file.suffix not in SUFFIXES:
        raise ModelFileError(f"{file}: the suffix must be one of {', '.join(SUFFIXES)}")
    return file.suffix
