"""The header of a safetensors file, checked before anything is allocated for what it declares.

8 bytes of length, then JSON: `__metadata__` (strings), and for each array dtype, shape and the
place of its bytes behind the header. The arrays fill the file without holes or overlaps.
"""

from math import prod
from typing import Any, BinaryIO

import attrs

from nas_surgery.formats.strict_json import strict_json
from nas_surgery.network.errors import ModelFileError

MAX_HEADER = 2**20
MAX_AXES = 32
ITEM_SIZES = {"F32": 4, "F64": 8}


@attrs.frozen
class Entry:
    """Where an array lies: bytes `start` to `stop` behind the header."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    start: int
    stop: int


@attrs.frozen
class Header:
    """What a file declares; `entries` are in the order of their bytes."""

    metadata: dict[str, str]
    entries: tuple[Entry, ...]


def read_header(file: BinaryIO, size: int) -> Header:
    """The header of an open file of `size` bytes, which is left behind it.

    Raises ModelFileError unless it accounts for every byte of the file.
    """
    length = int.from_bytes(file.read(8), "little")
    if size < 8 or length > size - 8:
        raise ModelFileError("truncated, or not a safetensors file")
    if length > MAX_HEADER:
        raise ModelFileError(f"a header of {length:,} bytes is longer than {MAX_HEADER:,}")
    try:
        values = strict_json(file.read(length))
    except ValueError as error:
        raise ModelFileError(f"the header is damaged: {error}") from None
    if not isinstance(values, dict):
        raise ModelFileError("the header is damaged: not an object")
    metadata = _metadata(values.pop("__metadata__", {}))
    entries = sorted((_entry(name, item) for name, item in values.items()), key=_place)
    _check_places(entries, size - 8 - length)
    return Header(metadata, tuple(entries))


def _metadata(values: Any) -> dict[str, str]:
    if not isinstance(values, dict) or not all(isinstance(v, str) for v in values.values()):
        raise ModelFileError("the header is damaged: the metadata are not strings")
    return values


def _entry(name: str, item: Any) -> Entry:
    if not isinstance(item, dict) or set(item) != {"dtype", "shape", "data_offsets"}:
        raise ModelFileError(f"{name}: dtype, shape and data_offsets are needed, and no more")
    dtype, shape, offsets = item["dtype"], item["shape"], item["data_offsets"]
    if not isinstance(dtype, str) or dtype not in ITEM_SIZES:
        raise ModelFileError(f"{name}: dtype {dtype!r} is not one of {', '.join(ITEM_SIZES)}")
    if not _whole_numbers(shape) or len(shape) > MAX_AXES:
        raise ModelFileError(f"{name}: {shape!r} is not a shape")
    if not _whole_numbers(offsets) or len(offsets) != 2:
        raise ModelFileError(f"{name}: {offsets!r} are not data_offsets")
    start, stop = offsets
    if prod(shape) * ITEM_SIZES[dtype] != stop - start:
        raise ModelFileError(f"{name}: shape {shape} does not fill bytes {start} to {stop}")
    return Entry(name, dtype, tuple(shape), start, stop)


def _whole_numbers(values: Any) -> bool:
    return isinstance(values, list) and all(type(v) is int and v >= 0 for v in values)


def _place(entry: Entry) -> tuple[int, int]:
    return entry.start, entry.stop


def _check_places(entries: list[Entry], size: int) -> None:
    end = 0
    for entry in entries:
        if entry.start != end:
            word = "overlaps another array" if entry.start < end else "leaves a gap before it"
            raise ModelFileError(f"{entry.name}: {word}")
        end = entry.stop
    if end > size:
        raise ModelFileError(f"truncated: {end:,} bytes of arrays declared, {size:,} are there")
    if end < size:
        raise ModelFileError(f"{size - end:,} bytes behind the last array belong to none")
