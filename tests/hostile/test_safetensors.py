"""safetensors files that must be refused."""

import json
import pickle

import numpy as np
from safetensors.numpy import save

from nas_surgery.formats.safetensors import described, named_arrays, to_bytes
from nas_surgery.network import Dense, Network, Normalize
from nas_surgery.testing.builders import Unbiased, build

NETWORK = build(3, 4, "relu", Unbiased(2), dtype=np.float32)
ARRAYS = named_arrays(NETWORK)
GOOD = to_bytes(NETWORK)
DESCRIPTION = json.loads(described(NETWORK))
KERNEL = "layers.0.kernel"


def file(header, body=b"", length=None):
    """A file of a header (JSON values, text or bytes) and what follows it."""
    text = header if isinstance(header, bytes | str) else json.dumps(header)
    content = text if isinstance(text, bytes) else text.encode()
    size = len(content) if length is None else length
    return size.to_bytes(8, "little") + content + body


def described_as(text=None, arrays=ARRAYS, **changes):
    """A well-formed file with the right arrays and another description."""
    return save(dict(arrays), {"nas_surgery": text or json.dumps({**DESCRIPTION, **changes})})


def network_with(**arrays):
    """A well-formed file of a network whose arrays, and their SHA-256, are as given."""
    layer = Dense(np.ones((3, 2), np.float32))
    for name, array in arrays.items():
        object.__setattr__(layer, name, array)
    return to_bytes(Network(3, [layer]))


def entry(body=b"\0" * 8, more=None, **changes):
    """A file of one array that declares something else than 2 float32 numbers."""
    array = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8], **changes}
    return file({"a": array, **(more or {})}, body)


def flipped(before, after):
    assert GOOD.count(before) >= 1
    return GOOD.replace(before, after, 1)


def layers(*items):
    return described_as(layers=list(items))


def replaced(address, **changes):
    items = [dict(item) for item in DESCRIPTION["layers"]]
    items[address] = {**items[address], **changes}
    return described_as(layers=items)


BODY = len(GOOD) - sum(array.nbytes for array in ARRAYS.values())
FLIPPED = bytearray(GOOD)
FLIPPED[BODY + 2] ^= 1
TWO = {"dtype": "F32", "shape": [1], "data_offsets": [4, 8]}

BYTES = {
    "empty": (b"", "truncated"),
    "one byte": (b"\x01", "truncated"),
    "seven bytes": (b"\0" * 7, "truncated"),
    "zeros": (bytes(64), "header is damaged"),
    "ones": (b"\xff" * 64, "truncated"),
    "random bytes": (np.random.default_rng(0).bytes(4096), "truncated|longer"),
    "cut in the length": (GOOD[:5], "truncated"),
    "cut in the header": (GOOD[:100], "truncated"),
    "cut before the body": (GOOD[:BODY], "truncated: .* declared, 0 are there"),
    "cut in the body": (GOOD[:-1], "truncated: .* declared"),
    "a byte too many": (GOOD + b"\0", "1 bytes behind the last array"),
    "a pickle": (pickle.dumps(dict(ARRAYS)), "truncated"),
    "header of 2**64 - 1 bytes": (file("{}", length=2**64 - 1), "truncated"),
    "header of 2**63 bytes": (file("{}", length=2**63), "truncated"),
    "header one byte past the end": (file("{}", length=3), "truncated"),
    "header of 2 MB": (file("{}" + " " * 2**21), "header of .* is longer"),
    "header of no bytes": (file(""), "header is damaged"),
    "header that is no JSON": (file("{"), "header is damaged"),
    "header that is a list": (file("[]"), "not an object"),
    "header that is a number": (file("1"), "not an object"),
    "header that is not UTF-8": (file(b'{"\xff": 1}'), "header is damaged"),
    "header in UTF-16": (file('{"a": 1}'.encode("utf-16")), "header is damaged"),
    "header with a second value": (file("{} {}"), "header is damaged"),
    "header of 10**5 open brackets": (file("[" * 10**5), "nested deeper"),
    "header of 10**5 nested objects": (file('{"a":' * 10**5), "nested deeper"),
    "header of 10**5 arrays": (
        file("{" + ",".join(f'"{i}":0' for i in range(10**5)) + "}"),
        "dtype, shape and data_offsets are needed",
    ),
}

HEADERS = {
    "an array twice": (
        file(f'{{"a": {json.dumps(TWO)}, "a": {json.dumps(TWO)}}}', bytes(8)),
        "the key 'a' is there twice",
    ),
    "metadata twice": (
        file('{"__metadata__": {}, "__metadata__": {"nas_surgery": "{}"}}'),
        "the key '__metadata__' is there twice",
    ),
    "a key of an array twice": (
        file('{"a": {"dtype": "F32", "dtype": "F64", "shape": [1], "data_offsets": [0, 4]}}'),
        "the key 'dtype' is there twice",
    ),
    "metadata that are a list": (file({"__metadata__": []}), "metadata are not strings"),
    "metadata that are numbers": (file({"__metadata__": {"a": 1}}), "metadata are not strings"),
    "no metadata": (save({"a": np.ones(2, np.float32)}), "no nas-surgery network in it"),
    "metadata of somebody else": (
        save({"a": np.ones(2, np.float32)}, {"format": "pt"}),
        "no nas-surgery network in it",
    ),
    "an array that is a number": (file({"a": 1}), "dtype, shape and data_offsets"),
    "an array without a shape": (file({"a": {"dtype": "F32"}}), "dtype, shape and data_offsets"),
    "an array with another key": (entry(axis=1), "dtype, shape and data_offsets"),
    "dtype BF16": (entry(dtype="BF16", data_offsets=[0, 4]), "dtype 'BF16' is not one of"),
    "dtype I64": (entry(dtype="I64"), "dtype 'I64' is not one of"),
    "dtype C64": (entry(dtype="C64"), "dtype 'C64' is not one of"),
    "dtype object": (entry(dtype="O"), "dtype 'O' is not one of"),
    "dtype null": (entry(dtype=None), "dtype None is not one of"),
    "dtype a list": (entry(dtype=["F32"]), "is not one of"),
    "shape of 2**33 × 2**33": (
        entry(shape=[2**33, 2**33], data_offsets=[0, 0]),
        "does not fill bytes 0 to 0",
    ),
    "shape of 2**62": (entry(shape=[2**62]), "does not fill"),
    "shape below 0": (entry(shape=[-1, -2]), "is not a shape"),
    "shape of a fraction": (entry(shape=[2.0]), "is not a shape"),
    "shape of true": (entry(shape=[True, 2]), "is not a shape"),
    "shape of text": (entry(shape="2"), "is not a shape"),
    "shape null": (entry(shape=None), "is not a shape"),
    "shape of 5,000 digits": (
        file(f'{{"a": {{"dtype": "F32", "shape": [{"9" * 5000}], "data_offsets": [0, 8]}}}}'),
        "header is damaged",
    ),
    "shape of 1e999": (
        file('{"a": {"dtype": "F32", "shape": [1e999], "data_offsets": [0, 8]}}'),
        "1e999 is not a number",
    ),
    "shape of NaN": (
        file('{"a": {"dtype": "F32", "shape": [NaN], "data_offsets": [0, 8]}}'),
        "NaN is not a number",
    ),
    "shape of 1,000 axes": (entry(shape=[1] * 999 + [2]), "is not a shape"),
    "body longer than the shape": (entry(bytes(16), data_offsets=[0, 16]), "does not fill"),
    "offsets past the end": (
        entry(shape=[2**40], data_offsets=[0, 2**42]),
        "truncated: 4,398,046,511,104 bytes of arrays declared, 8 are there",
    ),
    "offsets reversed": (entry(data_offsets=[8, 0]), "does not fill"),
    "offsets below 0": (entry(data_offsets=[-8, 0]), "are not data_offsets"),
    "offsets of one number": (entry(data_offsets=[8]), "are not data_offsets"),
    "offsets of fractions": (entry(data_offsets=[0.0, 8.0]), "are not data_offsets"),
    "a gap between arrays": (
        entry(bytes(20), {"b": {**TWO, "data_offsets": [16, 20]}}),
        "leaves a gap before it",
    ),
    "a gap at the start": (entry(bytes(16), data_offsets=[8, 16]), "leaves a gap before it"),
    "arrays that overlap": (entry(more={"b": TWO}), "overlaps another array"),
    "arrays that are the same bytes": (
        entry(more={"b": {**TWO, "shape": [2], "data_offsets": [0, 8]}}),
        "overlaps another array",
    ),
}

STRUCTURES = {
    "description that is no JSON": (described_as("{"), "structure is damaged"),
    "description that is a list": (described_as("[]"), "structure is damaged: not an object"),
    "description nested 10**5 deep": (described_as("[" * 10**5), "nested deeper"),
    "description with a key twice": (
        described_as('{"format": 2, "format": 1}'),
        "the key 'format' is there twice",
    ),
    "description with a lone surrogate": (described_as('{"format": "\\ud800"}'), "format version"),
    "description with escape codes": (described_as(format="\x1b[31m\nred"), "format version"),
    "another format version": (described_as(format=3), "format version 3 is not 1 or 2"),
    "format version true": (described_as(format=True), "structure is damaged"),
    "no format version": (described_as('{"layers": []}'), "structure is damaged"),
    "unknown key": (described_as(code="import os"), "does not describe the network"),
    "unknown key of a layer": (replaced(1, code="x"), "structure is damaged"),
    "unknown kind of layer": (layers({"kind": "lambda", "arrays": []}), "unknown kind 'lambda'"),
    "unknown function": (replaced(1, function="eval"), "'eval' is not one of"),
    "weights written as JSON": (
        layers({"kind": "dense", "arrays": [], "kernel": [[1], [2], [3]]}),
        "arrays that no layer owns",
    ),
    "no layers": (layers(), "arrays that no layer owns|at least one linear layer"),
    "10**5 layers": (
        described_as(layers=[{"kind": "flatten", "arrays": []}] * 20_000),
        "at least one linear layer",
    ),
    "an array that no layer owns": (
        described_as(arrays={**ARRAYS, "layers.9.kernel": np.ones(2, np.float32)}),
        "arrays that no layer owns: layers.9.kernel",
    ),
    "an array of a name like a path": (
        described_as(arrays={**ARRAYS, "../../x": np.ones(2, np.float32)}),
        "arrays that no layer owns: ../../x",
    ),
    "a missing array": (
        described_as(arrays={k: v for k, v in ARRAYS.items() if k != KERNEL}),
        "structure is damaged: KeyError",
    ),
    "input_shape of 2**33 × 2**33": (described_as(input_shape=[2**33, 2**33]), "layer 0"),
    "input_shape below 0": (described_as(input_shape=[-3]), "positive whole numbers"),
    "input_shape of true": (described_as(input_shape=[True]), "positive whole numbers"),
    "input_shape of fractions": (described_as(input_shape=[3.0]), "positive whole numbers"),
    "input_shape of text": (described_as(input_shape="3"), "positive whole numbers"),
    "input_shape null": (described_as(input_shape=None), "not a valid network: input_shape"),
    "dropout of NaN": (
        described_as(json.dumps(DESCRIPTION).replace('"relu"', "NaN")),
        "NaN is not a number",
    ),
    "dropout of 1": (layers({"kind": "dropout", "arrays": [], "rate": 1}), "must be in"),
    "dropout of text": (
        layers({"kind": "dropout", "arrays": [], "rate": "0.5"}),
        "not a valid network: Dropout.rate",
    ),
}

WEIGHTS = {
    "weights of NaN": (network_with(kernel=np.full((3, 2), np.nan, np.float32)), "NaN or infinite"),
    "weights of infinity": (network_with(kernel=np.full((3, 2), np.inf)), "NaN or infinite"),
    "weights of both dtypes": (
        described_as(arrays={**ARRAYS, "layers.0.bias": np.ones(4)}),
        "one dtype per network",
    ),
    "weights of another shape": (
        described_as(arrays={**ARRAYS, KERNEL: np.ones((4, 3), np.float32)}),
        "not a valid network",
    ),
    "weights of no columns": (
        described_as(arrays={**ARRAYS, KERNEL: np.ones((3, 0), np.float32)}),
        "not a valid network",
    ),
    "other weights of the same shape": (
        described_as(arrays={**ARRAYS, KERNEL: ARRAYS[KERNEL] + 1}),
        f"SHA-256 of {KERNEL} is not",
    ),
    "a flipped bit in the weights": (bytes(FLIPPED), "SHA-256 of layers"),
    "a flipped bit in the structure": (flipped(b"relu", b"selu"), "SHA-256 of structure is not"),
    "a flipped bit in a SHA-256": (
        described_as(sha256={**DESCRIPTION["sha256"], KERNEL: "0" * 64}),
        f"SHA-256 of {KERNEL} is not",
    ),
    "no SHA-256": (
        described_as(json.dumps({k: v for k, v in DESCRIPTION.items() if k != "sha256"})),
        "SHA-256 of the arrays are missing",
    ),
    "no SHA-256 of one array": (
        described_as(sha256={k: v for k, v in DESCRIPTION["sha256"].items() if k != KERNEL}),
        f"SHA-256 of {KERNEL} is not",
    ),
    "a SHA-256 of something else": (
        described_as(sha256={**DESCRIPTION["sha256"], "x": "0" * 64}),
        "SHA-256 of x is not",
    ),
    "SHA-256 that are text": (described_as(sha256="0" * 64), "SHA-256 of the arrays are missing"),
    "scale of zero": (
        save(
            {
                "layers.0.mean": np.zeros(3, np.float32),
                "layers.0.scale": np.zeros(3, np.float32),
                "layers.1.kernel": np.ones((3, 2), np.float32),
            },
            {
                "nas_surgery": described(
                    Network(
                        3,
                        [
                            Normalize(np.zeros(3, np.float32), np.ones(3, np.float32)),
                            Dense(np.ones((3, 2), np.float32)),
                        ],
                    )
                )
            },
        ),
        "must not contain zeros",
    ),
}


def test_bad_safetensors_files_are_refused(examine):
    """Truncated, lying, damaged and malicious files: one line, little memory, no network."""
    examine("safetensors", {**BYTES, **HEADERS, **STRUCTURES, **WEIGHTS})
