"""What a shrink has done, in a directory: one that was killed goes on where it was, to the same files.

A journal, one JSON object a line, holds what each stage came to; networks lie beside it under their SHA-256.
"""

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import attrs

from nas_surgery.errors import ModelFileError, NasSurgeryError, NetworkError
from nas_surgery.formats.atomic import open_own, remove_temporaries, write_atomically
from nas_surgery.formats.regular_file import read_regular, size_limit
from nas_surgery.formats.safetensors import load_safetensors, to_bytes
from nas_surgery.formats.strict_json import strict_json
from nas_surgery.network import Network

JOURNAL, WEIGHTS = "shrink.jsonl", "weights"


@attrs.frozen(eq=False)
class Stages:
    """Stages by name with what they came to. folder: None keeps everything in memory."""

    folder: Path | None
    done: dict[str, Any]

    @classmethod
    def of(cls, folder: Path | None, given: Mapping[str, Any]) -> "Stages":
        """Those in a folder; given: what all of it depends on, JSON values by name.

        NasSurgeryError where something else was given when the folder was begun, or it cannot be used.
        """
        if folder is None:
            return cls(None, {})
        try:
            (folder / WEIGHTS).mkdir(parents=True, exist_ok=True)
            remove_temporaries(folder / WEIGHTS)
            stages = cls(folder, _read(folder / JOURNAL))
        except OSError as error:
            raise NasSurgeryError(f"{folder}: {error.strerror or error}") from None
        before = stages.value("given", lambda: dict(given))
        other = [name for name in given if before.get(name) != given[name]]
        if other:
            raise NasSurgeryError(
                f"{folder}: was begun with another {', '.join(other)}; take a new directory"
            )
        return stages

    def value(self, name: str, make: Callable[[], Any]) -> Any:
        """What a stage came to, a JSON value; made where it is not known yet."""
        if name not in self.done:
            self._note(name, make())
        return self.done[name]

    def network(self, name: str, make: Callable[[], tuple[Network, Any]]) -> tuple[Network, Any]:
        """The same of a stage that makes a network, with a JSON value beside it."""
        held = self._held(name)
        if held is not None:
            return held
        network, value = make()
        if self.folder is not None:
            content = to_bytes(network)
            digest = hashlib.sha256(content).hexdigest()
            write_atomically(self._weights(digest), content)
            self._note(name, {"sha256": digest, "value": value})
        return network, value

    def _held(self, name: str) -> tuple[Network, Any] | None:
        """A network that is there and is what it was."""
        noted = self.done.get(name)
        if noted is None:
            return None
        file = self._weights(noted["sha256"])
        try:
            if hashlib.sha256(read_regular(file, size_limit())).hexdigest() == noted["sha256"]:
                return load_safetensors(file), noted["value"]
        except (ModelFileError, NetworkError, OSError):
            pass
        return None  # and so it is made again

    def _weights(self, digest: str) -> Path:
        assert self.folder is not None
        return self.folder / WEIGHTS / f"{digest}.safetensors"

    def _note(self, name: str, value: Any) -> None:
        self.done[name] = value
        if self.folder is None:
            return
        try:
            with open_own(self.folder / JOURNAL, "ab") as file:
                file.write(json.dumps({"stage": name, "value": value}).encode() + b"\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise NasSurgeryError(f"{self.folder / JOURNAL}: {error.strerror or error}") from None


def _read(journal: Path) -> dict[str, Any]:
    """Stages by name; a line that a kill cut off is taken away."""
    if not journal.exists():
        return {}
    content = read_regular(journal, size_limit())
    whole = content[: content.rfind(b"\n") + 1]
    if whole != content:
        write_atomically(journal, whole)
    try:
        entries = [strict_json(line) for line in whole.decode().splitlines()]
        return {entry["stage"]: entry["value"] for entry in entries}
    except (ValueError, KeyError, TypeError, ModelFileError):
        raise NasSurgeryError(f"{journal}: is damaged; take a new directory") from None
