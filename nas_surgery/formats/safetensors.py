"""Networks on disk as safetensors: arrays as tensors, the structure as JSON in the metadata. No pickle.

The metadata hold a SHA-256 of the structure and of every array, so that no flipped bit goes unseen.
"""

import hashlib
import json
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

import attrs
import numpy as np
from safetensors.numpy import save

from nas_surgery.formats.regular_file import open_regular, read_exactly, size_limit
from nas_surgery.formats.safetensors_header import MAX_HEADER, Header, read_header
from nas_surgery.formats.strict_json import strict_json
from nas_surgery.network.arrays import Array
from nas_surgery.network.errors import ModelFileError, NetworkError
from nas_surgery.network.finite import check_finite
from nas_surgery.network.layers import LAYERS, Layer
from nas_surgery.network.network import Network, array_name
from nas_surgery.network.wires import Wires

FORMAT_VERSION = 1
FORKED_VERSION = 2  # of networks with wires, which readers of version 1 would take for chains
METADATA_KEY = "nas_surgery"  # one key only: safetensors writes several in random order
DTYPES: dict[str, np.dtype[Any]] = {"F32": np.dtype("<f4"), "F64": np.dtype("<f8")}


def structure(network: Network) -> dict[str, Any]:
    """Everything but the arrays, as JSON values with a format version; wires only where there are some."""
    layers = [
        {"kind": layer.kind, "arrays": sorted(layer.arrays()), **layer.config()}
        for layer in network.layers
    ]
    held = {"input_shape": list(network.input_shape), "layers": layers}
    if not network.wires:
        return {"format": FORMAT_VERSION, **held}
    return {"format": FORKED_VERSION, **held, "wires": network.wires.to_json()}


def described(network: Network) -> str:
    """The structure with the classes and the SHA-256 of everything, as the JSON text that files hold."""
    return _canonical({**structure(network), **_classes(network), "sha256": fingerprints(network)})


def fingerprints(network: Network) -> dict[str, str]:
    """SHA-256 of the structure, of the classes if there are any, and by name of every array: of a line
    such as "<f4 [3, 4]", then of its little-endian bytes."""
    texts = {"structure": structure(network), **_classes(network)}
    return {
        **{
            key: hashlib.sha256(_canonical(value).encode()).hexdigest()
            for key, value in texts.items()
        },
        **{name: _fingerprint(array) for name, array in named_arrays(network).items()},
    }


def named_arrays(network: Network) -> dict[str, Array]:
    """Every array of the network by its stored name."""
    return {
        array_name(address, field): array
        for address, layer in enumerate(network.layers)
        for field, array in layer.arrays().items()
    }


def from_structure(description: Any, arrays: Mapping[str, Array]) -> Network:
    """The network that `structure` and `named_arrays` described; ModelFileError if they do not fit."""
    try:
        if description["format"] not in (FORMAT_VERSION, FORKED_VERSION):
            raise ModelFileError(
                f"format version {description['format']!r} is not {FORMAT_VERSION} or"
                f" {FORKED_VERSION}; it was written by another release"
            )
        layers = [_layer(i, item, arrays) for i, item in enumerate(description["layers"])]
        wires = Wires.from_json(description.get("wires", {}))
        network = Network(description["input_shape"], tuple(layers), wires)
        check_finite(network)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ModelFileError(f"the structure is damaged: {error!r}") from None
    except NetworkError as error:
        raise ModelFileError(f"not a valid network: {error}") from None
    unused = set(arrays) - set(named_arrays(network))
    if unused:
        raise ModelFileError(f"arrays that no layer owns: {', '.join(sorted(unused))}")
    if _canonical(description) != _canonical(structure(network)):
        raise ModelFileError("the structure is damaged: it does not describe the network it gives")
    return network


def from_description(text: str, arrays: Mapping[str, Array]) -> Network:
    """The network that `described` and `named_arrays` described, with every SHA-256 checked."""
    try:
        description = strict_json(text)
    except ValueError as error:
        raise ModelFileError(f"the structure is damaged: {error}") from None
    if not isinstance(description, dict):
        raise ModelFileError("the structure is damaged: not an object")
    expected, classes = description.pop("sha256", None), description.pop("classes", None)
    network = _telling_apart(from_structure(description, arrays), classes)
    if not isinstance(expected, dict):
        raise ModelFileError("the SHA-256 of the arrays are missing")
    found = fingerprints(network)
    for name in sorted(found.keys() | expected.keys()):
        if found.get(name) != expected.get(name):
            raise ModelFileError(
                f"damaged: the SHA-256 of {name} is not the one it was written with"
            )
    return network


def _classes(network: Network) -> dict[str, Any]:
    return {} if network.classes is None else {"classes": list(network.classes)}


def _telling_apart(network: Network, classes: Any) -> Network:
    """The network with the classes that a file names, if it does."""
    if classes is None:
        return network
    if not isinstance(classes, list):
        raise ModelFileError("the classes are damaged: not a list")
    try:
        return attrs.evolve(network, classes=classes)
    except (NetworkError, TypeError) as error:
        raise ModelFileError(f"the classes are damaged: {error}") from None


def to_bytes(network: Network) -> bytes:
    """The file's content: equal networks give equal bytes. ModelFileError for thousands of layers."""
    content = save(named_arrays(network), {METADATA_KEY: described(network)})
    if int.from_bytes(content[:8], "little") > MAX_HEADER:
        raise ModelFileError(f"{len(network.layers)} layers are more than a file can describe")
    return content


def load_safetensors(path: Path) -> Network:
    """Read a network that `to_bytes` made; ModelFileError names the file and what is wrong with it.

    Nothing is allocated before the header is found to describe the file exactly. The file is read and
    not mapped: a mapped file that another process cuts ends this one by a signal.
    """
    try:
        with open_regular(path, size_limit()) as (file, size):
            return _read(file, size)
    except (ModelFileError, NetworkError) as error:
        raise ModelFileError(f"{path}: {error}") from None


def from_bytes(content: bytes) -> Network:
    """The inverse of `to_bytes`; ModelFileError for anything else."""
    try:
        return _read(BytesIO(content), len(content))
    except NetworkError as error:
        raise ModelFileError(str(error)) from None


def _read(file: BinaryIO, size: int) -> Network:
    metadata, arrays = unpacked(file, size)
    if METADATA_KEY not in metadata:
        raise ModelFileError("no nas-surgery network in it: the metadata are missing")
    return from_description(metadata[METADATA_KEY], arrays)


def unpacked(file: BinaryIO, size: int) -> tuple[dict[str, str], dict[str, Array]]:
    """The metadata and the arrays of an open file of `size` bytes, at its beginning."""
    header = read_header(file, size)
    content = read_exactly(file, size - file.tell())
    return header.metadata, _arrays(header, content)


def _arrays(header: Header, content: bytes) -> dict[str, Array]:
    """Read-only views: what lies behind the header is theirs alone."""
    views = {}
    for entry in header.entries:
        dtype = DTYPES[entry.dtype]
        count = (entry.stop - entry.start) // dtype.itemsize
        flat = np.frombuffer(content, dtype, count, entry.start)
        views[entry.name] = flat.reshape(entry.shape)
    return views


def _layer(address: int, item: dict[str, Any], arrays: Mapping[str, Array]) -> Layer:
    fields = {k: v for k, v in item.items() if k not in ("kind", "arrays")}
    if item["kind"] not in LAYERS:
        raise ModelFileError(f"layer {address}: unknown kind {item['kind']!r}")
    held = {field: arrays[array_name(address, field)] for field in item["arrays"]}
    return LAYERS[item["kind"]](**fields, **held)


def _canonical(values: Any) -> str:
    return json.dumps(values, sort_keys=True)


def _fingerprint(array: Array) -> str:
    little = array.astype(array.dtype.newbyteorder("<"), copy=False)
    content = hashlib.sha256(f"{little.dtype.str} {list(array.shape)}\n".encode())
    content.update(little.data)
    return content.hexdigest()
