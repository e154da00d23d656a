"""Reading ONNX files of any exporter, whose bytes are parsed by another process alone."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, BinaryIO

from nas_surgery.formats.onnx.interface import Imported, Interface
from nas_surgery.formats.regular_file import open_regular, size_limit
from nas_surgery.formats.safetensors import METADATA_KEY, from_description, unpacked
from nas_surgery.formats.strict_json import strict_json
from nas_surgery.network import ModelFileError
from nas_surgery.network.errors import NetworkError, UnsupportedModelError

MAX_BYTES = 2**31 - 1  # of any protocol buffer
PATIENCE, BYTES_A_SECOND = 60.0, 2**20  # seconds that any file gets, and more for larger ones;
# on a machine that has time, the limit of processor time comes first
SHOWN = 1  # reasons in a message
_PROGRAM = (
    "import sys; sys.path.extend({paths!r});"
    " from nas_surgery.formats.onnx.importer.child import main; main()"
)


def import_onnx(path: str | Path) -> Imported:
    """The network in an ONNX file of any exporter, and the interface that `export_like` gives back.

    Raises ModelFileError, which names the file and the reason; UnsupportedModelError, which has all
    reasons, where nodes of the file are beyond what a network can hold.
    """
    try:
        with open_regular(Path(path), min(size_limit(), MAX_BYTES)) as (file, size):
            return _answer(file, size)
    except UnsupportedModelError as error:
        raise UnsupportedModelError(_message(Path(path), error.reasons), error.reasons) from None
    except (ModelFileError, NetworkError) as error:
        raise ModelFileError(f"{path}: {error}") from None


def _message(path: Path, reasons: Sequence[str]) -> str:
    more = len(reasons) - SHOWN
    others = f"; {more} more: nas-surgery inspect {path} lists all" if more else ""
    return f"{path}: {'; '.join(reasons[:SHOWN])}{others}"


def _answer(file: BinaryIO, size: int) -> Imported:
    with TemporaryFile() as output:
        _run(file, output, PATIENCE + size / BYTES_A_SECOND)
        length = output.seek(0, os.SEEK_END)
        output.seek(0)
        metadata, arrays = unpacked(output, length)
    if "reasons" in metadata:
        raise _refusal(strict_json(metadata["reasons"]))
    network = from_description(metadata[METADATA_KEY], arrays)
    return Imported(network, Interface.from_json(metadata["interface"]))


def _refusal(entries: Sequence[Mapping[str, Any]]) -> ModelFileError:
    reasons = [_text(entry) for entry in entries]
    if not any(entry["operator"] for entry in entries):
        return ModelFileError(reasons[0])
    return UnsupportedModelError(reasons[0], reasons)


def _text(entry: Mapping[str, Any]) -> str:
    text, node, operator = (str(entry[key]) for key in ("text", "node", "operator"))
    return f"node {node!r} ({operator}): {text}" if operator else text


def _run(file: BinaryIO, output: Any, seconds: float) -> None:
    """Let the other process read the file and write its answer."""
    root = str(Path(__file__).parents[3])
    program = _PROGRAM.format(paths=[root, *(path for path in sys.path if path)])
    os.lseek(file.fileno(), 0, os.SEEK_SET)
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-B", "-c", program],
            stdin=file,
            stdout=output,
            stderr=subprocess.DEVNULL,
            timeout=seconds,
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise ModelFileError(f"to read it takes more than {seconds:.0f} seconds") from None
    except OSError as error:
        raise ModelFileError(
            f"the process that reads it cannot be started: {error.strerror}"
        ) from None
    if done.returncode < 0:
        raise ModelFileError(_ended(-done.returncode))
    if done.returncode > 0:
        raise ModelFileError(f"reading it failed with exit status {done.returncode}")


def _ended(signal: int) -> str:
    if signal in (9, 24):  # KILL, which comes behind XCPU
        return "to read it takes too much time or memory"
    return f"reading it was ended by signal {signal}"
