"""How states travel: by Ray's object store, or by files on shared storage that their SHA-256 names."""

import shutil
from pathlib import Path
from typing import Any, Self
from uuid import uuid4

import attrs
import ray

from nas_surgery.errors import ModelFileError
from nas_surgery.executors import States
from nas_surgery.formats.atomic import write_atomically
from nas_surgery.formats.regular_file import read_regular, size_limit
from nas_surgery.training.state_bytes import digest, state_to_bytes

Parcel = (
    bytes | str | list[Any]
)  # the bytes themselves, the path of a file, or a reference in a list


@attrs.frozen
class Shared:
    """A folder that all machines see and one run uses. large: bytes; what is larger goes by a file in it."""

    folder: Path
    large: int

    @classmethod
    def of_a_run(cls, folder: Path, large: int) -> Self:
        """A folder of its own in the one that is given, not made yet."""
        return cls(folder / f"nas-surgery-{uuid4().hex}", large)

    def remove(self) -> None:
        """Nothing in it is needed any more."""
        shutil.rmtree(self.folder, ignore_errors=True)


def packed(content: bytes, shared: Shared | None) -> bytes | str:
    """The content, or the path of the file that holds it now."""
    if shared is None or len(content) <= shared.large:
        return content
    shared.folder.mkdir(exist_ok=True)
    file = shared.folder / f"{digest(content)}.safetensors"
    if not file.exists():
        write_atomically(file, content)
    return str(file)


def unpacked(parcel: Parcel) -> bytes:
    """The content again; ModelFileError where a file holds another."""
    if isinstance(parcel, list):
        content: bytes = ray.get(parcel[0])
        return content
    if isinstance(parcel, bytes):
        return parcel
    content = read_regular(Path(parcel), size_limit())
    if digest(content) != Path(parcel).stem:
        raise ModelFileError(f"{parcel}: damaged, its SHA-256 is not its name")
    return content


@attrs.define(eq=False)
class Parcels:
    """The states of a round's parents: each is handed to the cluster once, when it is first needed.

    What is put into the object store dies with its owner, the driver, and is never computed again; so
    where it got lost it is put again.
    """

    shared: Shared | None
    states: States = attrs.field(factory=dict)
    _sent: dict[int | None, Parcel] = attrs.field(factory=dict, init=False)
    _files: set[str] = attrs.field(factory=set, init=False)

    def of(self, parent: int | None) -> Parcel | None:
        """The parcel of a parent's state; None for the start network, which every worker has."""
        state = self.states.get(parent)
        if state is None:
            return None
        if parent not in self._sent:
            parcel = packed(state_to_bytes(state), self.shared)
            self._sent[parent] = (
                self._noted(parcel) if isinstance(parcel, str) else [ray.put(parcel)]
            )
        return self._sent[parent]

    def opened(self, weights: bytes | str) -> bytes:
        """What a worker sent back."""
        return unpacked(self._noted(weights) if isinstance(weights, str) else weights)

    def put_again(self) -> None:
        """Trust no reference any more."""
        self._sent.clear()

    def drop_files(self) -> None:
        """The round is over."""
        for file in self._files:
            Path(file).unlink(missing_ok=True)

    def _noted(self, file: str) -> str:
        self._files.add(file)
        return file
