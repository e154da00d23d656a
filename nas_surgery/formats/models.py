"""Saving and loading networks, by the suffix of their files."""

from collections.abc import Mapping
from os.path import exists, isdir, isfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas_surgery.errors import ModelFileError
from nas_surgery.formats.atomic import write_atomically
from nas_surgery.formats.safetensors import load_safetensors, to_bytes
from nas_surgery.network import Network, as_mapping, as_path, check_finite, expect_network

if TYPE_CHECKING:
    from nas_surgery.formats.onnx.interface import Imported, Interface

SUFFIXES = (".safetensors", ".onnx")


def save(
    network: Network,
    path: str | Path,
    metadata: Mapping[str, Any] | None = None,
    *,
    interface: "Interface | None" = None,
) -> None:
    """Write a network as `.safetensors` or `.onnx`, by the suffix of `path`.

    metadata: JSON values to keep in an ONNX file. interface: that of the ONNX file that the network came
    from, whose names, layout and head an ONNX file then has again. Raises ModelFileError for another
    suffix, and NetworkError for weights that are NaN or infinite: such a file could not be read.
    """
    expect_network("network", network)
    file, held = as_path("path", path), as_mapping("metadata", metadata)
    check_finite(network)
    if _suffix(file) == ".safetensors":
        write_atomically(file, to_bytes(network))
    elif interface is not None:
        from nas_surgery.formats.onnx.likeness import export_like

        write_atomically(file, export_like(network, interface))
    else:
        from nas_surgery.formats.onnx.export import export_onnx

        write_atomically(file, export_onnx(network, held))


def load(path: str | Path) -> Network:
    """Read a network that `save` wrote, the winner in a run directory, or the network in any ONNX file.

    What an ONNX file of another tool does behind its logits, such as a Softmax, is left out. Raises
    ModelFileError, which names the file and the reason.
    """
    return load_model(path).network


def load_model(path: str | Path) -> "Imported":
    """The same with the interface of an ONNX file of another tool, which `save` can give a network again."""
    from nas_surgery.formats.onnx.interface import Imported

    file = model_file(as_path("path", path))
    if _suffix(file) == ".onnx":
        from nas_surgery.formats.onnx.importing import read_onnx

        return read_onnx(file)
    return Imported(load_safetensors(file), None)


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


def _suffix(file: Path) -> str:
    if file.suffix not in SUFFIXES:
        raise ModelFileError(f"{file}: the suffix must be one of {', '.join(SUFFIXES)}")
    return file.suffix
