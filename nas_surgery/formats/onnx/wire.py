"""The wire format of protocol buffers, read in Python: exact, without recursion or amplification.

A C++ parser makes an object of some hundred bytes from two bytes of an empty message. This reader
makes only what is asked for, and knows a message by the fields that it may have.
"""

from collections.abc import Iterator, Mapping

import attrs

from nas_surgery.errors import ModelFileError

MAX_FIELDS = 100_000  # of one message; a graph has some three for each layer
Value = int | memoryview


@attrs.frozen
class Message:
    """The fields that a message may have, by number: those that are there once, or many times.

    refused: names of fields that are valid but never read.
    """

    name: str
    once: frozenset[int]
    repeated: frozenset[int] = frozenset()
    refused: Mapping[int, str] = attrs.Factory(dict)


def read_message(data: memoryview, message: Message) -> dict[int, list[Value]]:
    """The values by field number: an int of a varint, else bytes. ModelFileError names what is wrong."""
    values: dict[int, list[Value]] = {}
    for count, (number, value) in enumerate(entries(data)):
        if number in message.refused:
            raise ModelFileError(f"{message.name}: {message.refused[number]} is never read")
        if number not in message.once | message.repeated:
            raise ModelFileError(f"{message.name}: field {number} is not one that is known")
        if number in values and number in message.once:
            raise ModelFileError(f"{message.name}: field {number} is there twice")
        if count >= MAX_FIELDS:
            raise ModelFileError(f"{message.name}: more than {MAX_FIELDS} fields")
        values.setdefault(number, []).append(value)
    return values


def varints(value: Value) -> list[int]:
    """The integers in one occurrence of a repeated field, packed or not."""
    if isinstance(value, int):
        return [value]
    numbers: list[int] = []
    at = 0
    while at < len(value) and len(numbers) < MAX_FIELDS:
        number, at = _varint(value, at)
        numbers.append(number)
    return numbers


def entries(data: memoryview) -> Iterator[tuple[int, Value]]:
    """The fields of a message in their order, by number; ModelFileError where it is none."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        number, wire_type = key >> 3, key & 7
        if wire_type == 0:
            value, at = _varint(data, at)
            yield number, value
            continue
        if wire_type == 2:
            size, at = _varint(data, at)
        elif wire_type in (1, 5):
            size = 8 if wire_type == 1 else 4
        else:
            raise ModelFileError("not a readable ONNX file: not a protocol buffer")
        if size > len(data) - at:
            raise ModelFileError("not a readable ONNX file: truncated")
        yield number, data[at : at + size]
        at += size


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for i in range(10):
        if at + i >= len(data):
            raise ModelFileError("not a readable ONNX file: truncated")
        byte = data[at + i]
        value |= (byte & 127) << (7 * i)
        if byte < 128:
            return value, at + i + 1
    raise ModelFileError("not a readable ONNX file: not a protocol buffer")
