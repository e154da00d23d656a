"""The run directory: which files it holds, that they are ours, and that only one process writes to it."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from os.path import lexists
from pathlib import Path
from typing import Self

from nas_surgery.data.tables.encoding import Encoding
from nas_surgery.data.tables.file import write_encoding
from nas_surgery.errors import RunError
from nas_surgery.failpoints import failpoint
from nas_surgery.formats.atomic import LINK, TEMPORARY, is_own, remove_temporaries, write_atomically
from nas_surgery.formats.models import save
from nas_surgery.network import Network
from nas_surgery.runs.lock import RunLock
from nas_surgery.runs.spec import Spec
from nas_surgery.search.journal import is_journal

TABLE = "table.json"  # how the columns of a table were encoded
LONGEST_STEM = 60  # characters, of up to four bytes of the 255 that a name may have


def claim(parent: Path, stem: str) -> Path:
    """Make the first of `STEM-1`, `STEM-2`, … that is not there: no two processes make the same."""
    number = 1
    while True:
        path = parent / f"{stem[:LONGEST_STEM]}-{number}"
        try:
            path.mkdir(parents=True)
        except OSError as error:
            if not lexists(path):
                raise RunError(f"{path}: cannot be written: {error.strerror}") from None
            number += 1
        else:
            return path


class RunDirectory:
    """A directory that this process alone writes to, while entered.

    The lock belongs to the process and dies with it, however it ends. A run begins in a directory
    that is new or empty, or where one of ours was killed before it had a journal; it goes on in one
    with a journal of ours. Nothing else is ever written to.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.spec = path / "spec.toml"
        self.start = path / "start.safetensors"
        self.table = path / TABLE
        self.journal = path / "journal.jsonl"
        self.events = path / "events.jsonl"
        self.weights = path / "weights"
        self.pareto = path / "pareto"
        self.summary = path / "summary.json"
        self.winner = path / "winner.safetensors"
        self.onnx = path / "winner.onnx"
        self._lock = RunLock(path / "lock")
        self._made = False

    @property
    def begun(self) -> bool:
        """Whether a run has recorded anything here."""
        return self.journal.exists() and self.journal.stat().st_size > 0

    def check_free(self) -> None:
        """RunError unless a run can begin here without touching what is anybody's."""
        with self._reasons("used"):
            if not self.path.is_dir() or self._is_blank():
                return
            if self.begun and self._ours:
                raise RunError(
                    f"{self.path}: holds a run already; resume it, or choose another directory"
                )
            if self.begun or not self._lock.signed or self._strangers():
                raise RunError(f"{self.path}: is not empty; choose a new directory")
            self._check_kinds()

    def check_resumable(self) -> None:
        """RunError unless a run of ours can go on here, or begin where one died before it had a journal."""
        with self._reasons("read"):
            if not self.spec.is_file():
                raise RunError(f"{self.path}: holds no run; there is no spec.toml")
            self._check_kinds()
            if not self._ours:
                held = "does not begin like one of ours" if self.begun else "is missing"
                raise RunError(f"{self.path}: holds no run; its journal.jsonl {held}")

    def __enter__(self) -> Self:
        with self._reasons("written"):
            self._made = not self.path.exists()
            self.path.mkdir(parents=True, exist_ok=True)
            try:
                self._lock.acquire()
            except RunError:
                self._remove_if_made()
                raise
            for folder in (self.path, self.weights, self.pareto):
                remove_temporaries(folder)
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):  # of a folder that somebody took away meanwhile
            if {file.name for file in self.path.iterdir()} == {"lock"}:  # nothing followed
                self._lock.remove()
                self._remove_if_made()
        self._lock.release()

    @contextmanager
    def begin(
        self, spec: Spec, network: Network, encoding: Encoding | None = None
    ) -> Iterator[Self]:
        """Enter it for a new run, with what a resume starts from; RunError if it is not free."""
        self.check_free()
        with self:
            self.check_free()  # what another process may have begun before this one had the lock
            self.prepare(spec, network, encoding)
            yield self

    def prepare(self, spec: Spec, network: Network, encoding: Encoding | None = None) -> None:
        """Write down what a resume starts from, and what predictions from a raw table need."""
        with self._reasons("written"):
            self.weights.mkdir(exist_ok=True)
        write_atomically(self.spec, spec.to_toml().encode())
        save(network, self.start)
        if encoding is not None:
            write_encoding(encoding, self.table)
        failpoint("run.directory")

    @property
    def _ours(self) -> bool:
        """Whether a run has signed its lock here, or an earlier release its journal."""
        return self._lock.signed or is_journal(self.journal)

    @contextmanager
    def _reasons(self, done: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            reason = error.strerror or error
            raise RunError(f"{self.path}: cannot be {done}: {reason}") from None

    def _is_blank(self) -> bool:
        """Whether it holds nothing, or the lock of a process that died before it signed it."""
        names = {file.name for file in self.path.iterdir()}
        return not names or (names == {"lock"} and self._lock.empty)

    def _strangers(self) -> list[Path]:
        """What a run that was killed before it had a journal has not put here."""
        ours = {self._lock.path, self.spec, self.start, self.table, self.journal, self.events}
        ours |= {self.weights}
        held = [file for file in self.path.iterdir() if file not in ours]
        held += self.weights.iterdir() if self.weights.is_dir() else ()
        return [file for file in held if not (file.name.startswith(TEMPORARY) and is_own(file))]

    def _check_kinds(self) -> None:
        """RunError if what bears a name of ours is not what we write: no pipe is waited for, no link followed."""
        for path in (self.weights, self.pareto):
            if path.is_symlink() or (path.exists() and not path.is_dir()):
                raise RunError(f"{path}: {LINK if path.is_symlink() else 'not a folder'}")
        files = (self._lock.path, self.spec, self.start, self.table, self.journal, self.events)
        for path in (*files, self.summary, self.winner, self.onnx):
            if path.is_symlink() or (path.exists() and not path.is_file()):
                raise RunError(f"{path}: {LINK if path.is_symlink() else 'not a regular file'}")

    def _remove_if_made(self) -> None:
        with suppress(OSError):  # somebody else's file came into it
            if self._made:
                self.path.rmdir()
