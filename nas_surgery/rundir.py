"""The run directory: which files it holds, and that only one process writes to it."""

import fcntl
import os
from pathlib import Path
from typing import Self

from nas_surgery.errors import RunError
from nas_surgery.failpoints import failpoint
from nas_surgery.files import TEMPORARY, remove_temporaries, save, write_atomically
from nas_surgery.network import Network
from nas_surgery.spec import Spec


class RunDirectory:
    """A directory that this process alone writes to, while entered.

    The lock belongs to the process and dies with it, however it ends.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.spec = path / "spec.toml"
        self.start = path / "start.safetensors"
        self.journal = path / "journal.jsonl"
        self.events = path / "events.jsonl"
        self.weights = path / "weights"
        self.pareto = path / "pareto"
        self.summary = path / "summary.json"
        self._lock: int | None = None

    @property
    def begun(self) -> bool:
        """Whether a run has recorded anything here."""
        return self.journal.exists() and self.journal.stat().st_size > 0

    def __enter__(self) -> Self:
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise RunError(f"{self.path}: cannot be written: {error.strerror}") from None
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pid = os.read(self._lock, 32).decode().strip() or "?"
            os.close(self._lock)
            raise RunError(f"{self.path}: process {pid} is running here") from None
        try:
            os.ftruncate(self._lock, 0)
            os.pwrite(self._lock, str(os.getpid()).encode(), 0)
            for folder in (self.path, self.weights, self.pareto):
                remove_temporaries(folder)
        except OSError as error:
            os.close(self._lock)
            raise RunError(f"{self.path}: cannot be written: {error.strerror}") from None
        return self

    def __exit__(self, *_: object) -> None:
        if self._lock is not None:
            os.close(self._lock)

    def strangers(self) -> list[Path]:
        """Files that no run has put here, where none has begun."""
        ours = {self.path / "lock", self.spec, self.start, self.journal, self.events, self.weights}
        files = set(self.path.iterdir()) if self.path.is_dir() else set()
        return sorted(file for file in files - ours if not file.name.startswith(TEMPORARY))

    def prepare(self, spec: Spec, network: Network) -> None:
        """Write down what a resume starts from."""
        self.weights.mkdir(exist_ok=True)
        write_atomically(self.spec, spec.to_toml().encode())
        save(network, self.start)
        failpoint("run.directory")
