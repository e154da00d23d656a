"""A training state as bytes that its SHA-256 names: on disk, and between processes and machines."""

import hashlib
import json
from pathlib import Path

from safetensors import SafetensorError
from safetensors.numpy import load, save

from nas_surgery.errors import ModelFileError
from nas_surgery.formats.regular_file import read_regular, size_limit
from nas_surgery.formats.safetensors import from_structure, named_arrays, structure
from nas_surgery.formats.strict_json import strict_json
from nas_surgery.network import Array, own
from nas_surgery.training.state import Slots, TrainState

METADATA_KEY = "nas_surgery_state"
SLOT_PREFIX = "slots/"


def state_to_bytes(state: TrainState) -> bytes:
    """A state as safetensors; equal states give equal bytes."""
    arrays = dict(named_arrays(state.network))
    slots = {} if state.slots is None else state.slots.values
    for slot, held in slots.items():
        arrays.update({f"{SLOT_PREFIX}{slot}/{name}": array for name, array in held.items()})
    description = {
        "network": structure(state.network),
        "step": state.step,
        "updates": None if state.slots is None else state.slots.updates,
    }
    metadata = {METADATA_KEY: json.dumps(description, sort_keys=True)}
    return save(arrays, metadata)


def state_from_bytes(content: bytes) -> TrainState:
    """The inverse of `state_to_bytes`; ModelFileError for anything else."""
    try:
        size = int.from_bytes(content[:8], "little")
        metadata = strict_json(content[8 : 8 + size])["__metadata__"]
        description = strict_json(metadata[METADATA_KEY])
        step, updates = description["step"], description["updates"]
        arrays = {name: own(array) for name, array in load(content).items()}
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise ModelFileError(f"not a training state: {error}") from None
    slots: dict[str, dict[str, Array]] = {}
    for name in [name for name in arrays if name.startswith(SLOT_PREFIX)]:
        _, slot, parameter = name.split("/")
        slots.setdefault(slot, {})[parameter] = arrays.pop(name)
    network = from_structure(description["network"], arrays)
    return TrainState(network, None if updates is None else Slots(slots, updates), step)


def read_state(path: Path) -> TrainState:
    """A state from the file that its SHA-256 names; ModelFileError if the content is another."""
    try:
        content = read_regular(path, size_limit())
    except ModelFileError as error:
        raise ModelFileError(f"{path}: {error}") from None
    if digest(content) != path.stem:
        raise ModelFileError(f"{path}: damaged, its SHA-256 is not its name")
    return state_from_bytes(content)


def digest(content: bytes) -> str:
    """SHA-256 in hexadecimal."""
    return hashlib.sha256(content).hexdigest()
