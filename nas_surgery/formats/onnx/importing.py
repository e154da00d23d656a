"""Reading back what was exported."""

from pathlib import Path
from typing import Any

from nas_surgery.errors import ModelFileError, NetworkError
from nas_surgery.formats.onnx.export import export_onnx
from nas_surgery.formats.onnx.reading import check_foreign, read_export, read_model
from nas_surgery.formats.safetensors import from_description
from nas_surgery.network import Network


def read_onnx(path: Path) -> Network:
    """The network in a file that `export_onnx` made; ModelFileError for any other.

    A file that is byte for byte what `export_onnx` writes for the network in it is known to be
    harmless. Any other is compared with that in a process of its own.
    """
    try:
        content = read_model(path)
        held = read_export(content)
        network = from_description(held.description, held.arrays)
        expected = export_onnx(network, held.metadata)
        if content != expected:
            check_foreign(content, expected)
        return network
    except (ModelFileError, NetworkError) as error:
        raise ModelFileError(f"{path}: {error}") from None


def read_metadata(source: bytes | Path) -> dict[str, Any]:
    """The metadata of an exported model or file by key, without the structure."""
    if isinstance(source, bytes):
        return read_export(source).metadata
    try:
        return read_export(read_model(source)).metadata
    except ModelFileError as error:
        raise ModelFileError(f"{source}: {error}") from None
