"""Networks on disk as safetensors: arrays as tensors, the structure as JSON in the metadata. No pickle."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from nas_surgery.network.arrays import Array, own
from nas_surgery.network.errors import ModelFileError, NetworkError
from nas_surgery.network.layers import LAYERS, Layer
from nas_surgery.network.network import Network, array_name
from nas_surgery.network.rules import check_finite

FORMAT_VERSION = 1
METADATA_KEY = "nas_surgery"  # one key only: safetensors writes several in random order


def structure(network: Network) -> dict[str, Any]:
    """Everything but the arrays, as JSON values with a format version."""
    layers = [
        {"kind": layer.kind, "arrays": sorted(layer.arrays()), **layer.config()}
        for layer in network.layers
    ]
    return {"format": FORMAT_VERSION, "input_shape": list(network.input_shape), "layers": layers}


def named_arrays(network: Network) -> dict[str, Array]:
    """Every array of the network by its stored name."""
    return {
        array_name(address, field): array
        for address, layer in enumerate(network.layers)
        for field, array in layer.arrays().items()
    }


def from_structure(description: Any, arrays: dict[str, Array]) -> Network:
    """The network that `structure` and `named_arrays` described; ModelFileError if they do not fit."""
    try:
        if description["format"] != FORMAT_VERSION:
            raise ModelFileError(
                f"format version {description['format']!r} is not {FORMAT_VERSION}; it was written by another release"
            )
        layers = [_layer(i, item, arrays) for i, item in enumerate(description["layers"])]
        network = Network(description["input_shape"], tuple(layers))
        check_finite(network)
    except (KeyError, TypeError, AttributeError) as error:
        raise ModelFileError(f"the structure is damaged: {error!r}") from None
    except NetworkError as error:
        raise ModelFileError(f"not a valid network: {error}") from None
    unused = set(arrays) - set(named_arrays(network))
    if unused:
        raise ModelFileError(f"arrays that no layer owns: {', '.join(sorted(unused))}")
    return network


def to_bytes(network: Network) -> bytes:
    """The file's content: equal networks give equal bytes."""
    metadata = {METADATA_KEY: json.dumps(structure(network), sort_keys=True)}
    return save({k: np.ascontiguousarray(v) for k, v in named_arrays(network).items()}, metadata)


def load_safetensors(path: Path) -> Network:
    """Read a network that `to_bytes` made; ModelFileError names the file and what is wrong with it."""
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            if METADATA_KEY not in metadata:
                raise ModelFileError("no nas-surgery network in it: the metadata are missing")
            description = json.loads(metadata[METADATA_KEY])
            arrays = {name: own(np.array(file.get_tensor(name))) for name in file.keys()}  # noqa: SIM118
        return from_structure(description, arrays)
    except (SafetensorError, OSError, TypeError, ValueError, RecursionError) as error:
        raise ModelFileError(f"{path}: not a readable safetensors file: {error}") from None
    except (ModelFileError, NetworkError) as error:
        raise ModelFileError(f"{path}: {error}") from None


def _layer(address: int, item: dict[str, Any], arrays: dict[str, Array]) -> Layer:
    fields = {k: v for k, v in item.items() if k not in ("kind", "arrays")}
    if item["kind"] not in LAYERS:
        raise ModelFileError(f"layer {address}: unknown kind {item['kind']!r}")
    held = {field: arrays[array_name(address, field)] for field in item["arrays"]}
    return LAYERS[item["kind"]](**fields, **held)
