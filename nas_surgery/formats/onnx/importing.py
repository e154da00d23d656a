"""Reading ONNX files: what was exported here exactly, any other by import."""

from pathlib import Path
from typing import Any

from nas_surgery.errors import ModelFileError, NetworkError
from nas_surgery.formats.onnx.export import export_onnx
from nas_surgery.formats.onnx.foreign import import_onnx
from nas_surgery.formats.onnx.interface import Imported
from nas_surgery.formats.onnx.reading import check_foreign, is_own, read_export, read_model
from nas_surgery.formats.safetensors import from_description
from nas_surgery.network import Network


def read_onnx(path: Path) -> Imported:
    """The network in a file, whoever exported it; ModelFileError for what holds none.

    A file that is byte for byte what `export_onnx` writes for the network in it is known to be
    harmless. Any other that holds such a network is compared with that in a process of its own, and
    what holds none is imported by one.
    """
    try:
        content = read_model(path)
        if is_own(content):
            return Imported(_own(content), None)
    except (ModelFileError, NetworkError) as error:
        raise ModelFileError(f"{path}: {error}") from None
    del content  # which the other process reads for itself
    return import_onnx(path)


def _own(content: bytes) -> Network:
    held = read_export(content)
    network = from_description(held.description, held.arrays)
    expected = export_onnx(network, held.metadata)
    if content != expected:
        check_foreign(content, expected)
    return network


def read_metadata(source: bytes | Path) -> dict[str, Any]:
    """The metadata of an exported model or file by key, without the structure; none of a foreign one."""
    if isinstance(source, bytes):
        return read_export(source).metadata if is_own(source) else {}
    try:
        return read_metadata(read_model(source))
    except ModelFileError as error:
        raise ModelFileError(f"{source}: {error}") from None
