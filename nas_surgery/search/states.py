"""The weights of jobs: in memory while they may be needed, and on disk, named by their SHA-256."""

import re
from collections.abc import Iterable
from pathlib import Path

from nas_surgery.errors import ModelFileError
from nas_surgery.failpoints import failpoint
from nas_surgery.formats.atomic import is_own, sync, write_atomically
from nas_surgery.training.state import TrainState
from nas_surgery.training.state_bytes import read_state, state_to_bytes

NAME = re.compile(r"[0-9a-f]{64}\.safetensors")


class StateStore:
    """The states of a run's jobs.

    folder: where to keep those that a resume needs, or None to hold all of them in memory. Between
    rounds the states asked for in `keep` lie on disk; while a round goes on those of its jobs are in
    memory, and those that were long to train on disk too.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._memory: dict[int, TrainState] = {}
        self._digests: dict[int, str] = {}
        self._hasty: set[int] = set()
        self._damaged: set[int] = set()
        if folder is not None:
            folder.mkdir(exist_ok=True)

    def know(self, job: int, digest: str) -> None:
        """Remember what a job's weights must be, without having them."""
        self._digests[job] = digest

    def put(self, job: int, state: TrainState, digest: str, dear: bool = False) -> None:
        """Take the weights of a job that has just ended. dear: write them at once, though not so that
        they outlast the machine; it may be that nobody asks for them."""
        self._memory[job] = state
        self.know(job, digest)
        file = self._file(job)
        if dear and file is not None:
            write_atomically(file, state_to_bytes(state), synced=False)
            self._hasty.add(job)

    def get(self, job: int) -> TrainState | None:
        """The state of a job, or None if it is not here or damaged."""
        if job in self._memory:
            return self._memory[job]
        file = self._file(job)
        if file is None or not file.exists():
            return None
        try:
            return read_state(file)
        except ModelFileError:
            self._damaged.add(job)
            return None

    def keep(self, jobs: Iterable[int]) -> None:
        """Write the states of these jobs where that is still to do; forget all others."""
        wanted = set(jobs)
        files = {file for file in map(self._file, wanted) if file is not None}
        for job in wanted & self._memory.keys():
            file = self._file(job)
            if file is None:
                continue
            if job in self._damaged or not file.exists():
                write_atomically(file, state_to_bytes(self._memory[job]))
            elif job in self._hasty:
                sync(file)
                sync(file.parent)
            else:
                continue
            self._hasty.discard(job)
            self._damaged.discard(job)
            failpoint("weights.kept")
        for job in self._memory.keys() - wanted:
            del self._memory[job]
        for file in self._held() - files:
            file.unlink()
            failpoint("weights.dropped")

    def _held(self) -> set[Path]:
        """The files that a store has written here; whatever else lies beside them is somebody's."""
        if self._folder is None:
            return set()
        return {
            file for file in self._folder.iterdir() if NAME.fullmatch(file.name) and is_own(file)
        }

    def _file(self, job: int) -> Path | None:
        if self._folder is None or job not in self._digests:
            return None
        return self._folder / f"{self._digests[job]}.safetensors"
