"""What nas-surgery put into an ONNX file, taken out without any C++ parser.

Weights come from the file itself, never from beside it. Whether the graph is the one that belongs to
them is for the caller to compare; a file that is not byte for byte what an export writes is given to
`check_foreign`, which parses it in a process of its own.
"""

import json
import os
import subprocess
import sys
from math import prod
from pathlib import Path
from typing import Any

import attrs
import numpy as np

from nas_surgery.errors import ModelFileError
from nas_surgery.formats.onnx import check as onnx_check
from nas_surgery.formats.onnx.wire import MAX_FIELDS, Message, Value, entries, read_message, varints
from nas_surgery.formats.regular_file import open_regular, read_exactly, size_limit
from nas_surgery.formats.safetensors import METADATA_KEY
from nas_surgery.formats.strict_json import strict_json
from nas_surgery.network import Array, own

MAX_BYTES = 2**31 - 1  # of any protocol buffer
START = b"\x08"  # of field 1, the IR version
MAX_AXES = 32
MAX_COMMENTS = 2**20  # bytes that others may have added
SECONDS = 60.0  # for the check of a foreign file

_MODEL = Message(
    "model",
    once=frozenset({1, 2, 3, 4, 5, 6, 7}),
    repeated=frozenset({8, 14}),
    refused={20: "training_info", 25: "a function", 26: "a device configuration"},
)
_GRAPH = Message(
    "graph",
    once=frozenset({2, 10}),
    repeated=frozenset({1, 5, 11, 12, 13}),
    refused={14: "quantization_annotation", 15: "sparse_initializer", 16: "metadata_props"},
)
_TENSOR = Message(
    "initializer",
    once=frozenset({2, 8, 9, 12, 14}),
    repeated=frozenset({1}),
    refused={
        3: "segment",
        **dict.fromkeys((4, 5, 6, 7, 10, 11), "data of another kind than raw_data"),
        13: "external data",
        16: "metadata_props",
    },
)
_ENTRY = Message("metadata_props", once=frozenset({1, 2}))
_FLOATS: dict[int, np.dtype[Any]] = {1: np.dtype("<f4"), 11: np.dtype("<f8")}
_WHOLE: dict[int, np.dtype[Any]] = {7: np.dtype("<i8")}  # sizes and axes, as some operators take
_LAYERS = "layers."  # how the names of their arrays begin


@attrs.frozen(eq=False)
class Export:
    """What an export holds. description: of the network, as JSON; metadata: the rest, by key."""

    description: str
    metadata: dict[str, Any]
    arrays: dict[str, Array]


def read_model(path: Path) -> bytes:
    """The content of a file that may be a model; ModelFileError, without the path, if it is not."""
    with open_regular(path, min(size_limit(), MAX_BYTES)) as (file, size):
        start = file.read(1)
        if start != START:
            raise ModelFileError("not a readable ONNX file: it does not start with its version")
        return start + read_exactly(file, size - 1)


def is_own(content: bytes) -> bool:
    """Whether a model says that it holds a network of ours, whatever else it may be."""
    key = METADATA_KEY.encode()
    try:
        for count, (number, value) in enumerate(entries(memoryview(content))):
            if count > MAX_FIELDS:
                return True  # which nobody's file has, and is refused as ours
            if number == 14 and isinstance(value, memoryview):
                entry = next(entries(value), None)
                if entry is not None and entry[0] == 1 and _is(entry[1], key):
                    return True
    except ModelFileError:
        return False  # which the import will say
    return False


def _is(value: Value, text: bytes) -> bool:
    return isinstance(value, memoryview) and bytes(value[: len(text) + 1]) == text


def read_export(content: bytes) -> Export:
    """The parts of an exported model; ModelFileError, without the path, for any other file.

    Nothing is allocated that the file does not hold. The graph's nodes are left unread.
    """
    model = read_message(memoryview(content), _MODEL)
    metadata = _metadata(model.get(14, []))
    if METADATA_KEY not in metadata:
        raise ModelFileError("not exported by nas-surgery")
    graph = read_message(_bytes(model.get(7, [b""])[0], "graph"), _GRAPH)
    arrays: dict[str, Array] = {}
    for tensor in graph.get(5, []):
        name, array = _initializer(_bytes(tensor, "initializer"))
        if name in arrays:
            raise ModelFileError(f"initializer {name!r} is there twice")
        arrays[name] = array
    layers = {name: array for name, array in arrays.items() if name.startswith(_LAYERS)}
    return Export(metadata.pop(METADATA_KEY), _values(metadata), layers)


def check_foreign(content: bytes, expected: bytes, seconds: float = SECONDS) -> None:
    """Compare a model with the one that was expected, in a process of its own.

    Returns if they differ in nothing that matters, such as comments or the order of fields; else
    raises ModelFileError, also if the parser crashes, hangs or takes too much memory.
    """
    more = len(content) - len(expected)
    if more > MAX_COMMENTS:
        raise ModelFileError(f"{more:,} bytes more than its network needs")
    script = Path(onnx_check.__file__)
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-B", str(script)],  # -P: nothing beside it is imported
            input=len(expected).to_bytes(8, "little") + expected + content,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=seconds,
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise ModelFileError(f"the check of it took more than {seconds:g} seconds") from None
    except OSError as error:
        raise ModelFileError(f"the check of it cannot be started: {error.strerror}") from None
    if done.returncode < 0:
        raise ModelFileError(f"the check of it was ended by signal {-done.returncode}")
    if done.returncode > 0:
        raise ModelFileError(f"the check of it failed with exit status {done.returncode}")
    try:
        reason = json.loads(done.stdout)
    except ValueError:
        raise ModelFileError("the check of it gave no answer") from None
    if reason is not None:
        raise ModelFileError(str(reason))


def _bytes(value: Value | bytes, name: str) -> memoryview:
    if isinstance(value, int):
        raise ModelFileError(f"{name}: a number where bytes are needed")
    return memoryview(value)


def _text(values: list[Value] | None, name: str) -> str:
    if not values:
        raise ModelFileError(f"{name} is missing")
    try:
        return str(_bytes(values[0], name), "utf-8")
    except UnicodeDecodeError:
        raise ModelFileError(f"{name} is not UTF-8") from None


def _metadata(entries: list[Value]) -> dict[str, str]:
    texts: dict[str, str] = {}
    for entry in entries:
        fields = read_message(_bytes(entry, "metadata_props"), _ENTRY)
        key = _text(fields.get(1), "a key of metadata_props")
        if key in texts:
            raise ModelFileError(f"the metadata hold {key!r} twice")
        texts[key] = _text(fields.get(2), f"the value of {key!r}")
    return texts


def _values(texts: dict[str, str]) -> dict[str, Any]:
    try:
        return {key: strict_json(text) for key, text in texts.items()}
    except ValueError as error:
        raise ModelFileError(f"the metadata are damaged: {error}") from None


def _initializer(data: memoryview) -> tuple[str, Array]:
    fields = read_message(data, _TENSOR)
    name = _text(fields.get(8), "the name of an initializer")
    if fields.get(14, [0]) != [0]:
        raise ModelFileError(f"{name}: external data is never read")
    kind = fields.get(2, [0])[0]
    dtypes = _FLOATS if name.startswith(_LAYERS) else _FLOATS | _WHOLE
    if not isinstance(kind, int) or kind not in dtypes:
        raise ModelFileError(f"{name}: data type {kind!r} is neither float nor double")
    dtype, shape = dtypes[kind], [n for value in fields.get(1, []) for n in varints(value)]
    if len(shape) > MAX_AXES or any(n >= 2**63 for n in shape):
        raise ModelFileError(f"{name}: a shape has at most {MAX_AXES} axes and none below 0")
    raw = _bytes(fields.get(9, [b""])[0], name)
    if prod(shape) * dtype.itemsize != len(raw):
        raise ModelFileError(f"{name}: shape {shape} does not fit {len(raw):,} bytes of raw_data")
    return name, own(np.frombuffer(raw, dtype).reshape(shape).copy())
