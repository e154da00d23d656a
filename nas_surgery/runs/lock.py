"""The lock of a run directory, which dies with its process; what it says is that the directory is ours."""

import errno
import os
import re
from contextlib import suppress
from pathlib import Path

from nas_surgery.errors import ModelFileError, RunError
from nas_surgery.formats.regular_file import open_regular, size_limit

MAX_BYTES = 100
_SIGNATURE = re.compile(rb"nas-surgery, process ([0-9]+)\n")
_BEFORE = re.compile(rb"[0-9]*")  # by earlier releases, or by a process that died before it signed


class RunLock:
    """The file `lock`, held by one process at a time and signed by each that held it."""

    def __init__(self, path: Path) -> None:
        from filelock import FileLock  # not at the top: runs in memory need none

        self.path = path
        self._lock = FileLock(
            path,
            blocking=False,
            fallback_to_soft=False,
            preserve_lock_file=True,
            on_acquired=self._sign,
        )

    @property
    def signed(self) -> bool:
        """Whether a run has held it."""
        return _SIGNATURE.fullmatch(self._text()) is not None

    @property
    def empty(self) -> bool:
        """Whether it is there and holds nothing that could be lost."""
        return self.path.is_file() and self.path.stat().st_size == 0

    def acquire(self) -> None:
        """Hold it; RunError, with the id of the process that does where it can be read, if one does."""
        text = self._text()
        if not (_SIGNATURE.fullmatch(text) or _BEFORE.fullmatch(text)):
            raise RunError(f"{self.path}: not a lock that a run has left")
        from filelock import Timeout

        try:
            self._lock.acquire()
        except Timeout:
            raise RunError(f"{self.path.parent}: {self._owner()} is running here") from None
        except OSError as error:
            reason = error.strerror or error
            raise RunError(f"{self.path.parent}: cannot be written: {reason}") from None

    def release(self) -> None:
        """Let go of it; the file stays."""
        self._lock.release()

    def remove(self) -> None:
        """Remove the file while it is held, which another process that waits for it notices."""
        with suppress(OSError):  # Windows keeps what is open
            self.path.unlink()

    def _owner(self) -> str:
        held = _SIGNATURE.fullmatch(self._text())
        return f"process {held[1].decode()}" if held else "another process"

    def _text(self) -> bytes:
        """How it begins; nothing where it is not there, or its holder lets nobody read (Windows)."""
        try:
            with open_regular(self.path, size_limit()) as (file, _):
                return file.read(MAX_BYTES)
        except ModelFileError:
            return b""

    def _sign(self, descriptor: int) -> None:
        """Written before what was there is cut, so that a full disk takes no signature away."""
        text = f"nas-surgery, process {os.getpid()}\n".encode()
        new = os.fstat(descriptor).st_size == 0
        try:
            os.lseek(descriptor, 0, os.SEEK_SET)
            if os.write(descriptor, text) < len(text):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.ftruncate(descriptor, len(text))
        except OSError:
            if new:
                self.remove()
            raise
