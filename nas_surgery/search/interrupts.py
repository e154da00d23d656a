"""SIGINT and SIGTERM: the first stops the run in order, the second at once."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, Self

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class InterruptedRunError(KeyboardInterrupt):
    """A run was stopped by a signal.

    directory: of the run, or None; saved: whether the best network so far is there; result: the
    Result so far, or None where there is no network yet.
    """

    def __init__(self, signum: int) -> None:
        super().__init__(signal.Signals(signum).name)
        self.signum = signum
        self.directory: Path | None = None
        self.saved = False
        self.result: Any = None


class Interrupts:
    """While entered, signals are noted, and raised only within `allowed`.

    So a record or a file is never left half-written, and training need not be waited for. Outside
    the main thread signals stay as they are.
    """

    def __init__(self) -> None:
        self._noted: int | None = None
        self._allowed = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._note) for number in SIGNALS}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    @contextmanager
    def allowed(self) -> Iterator[None]:
        """Within, a signal ends what is going on by an InterruptedRunError."""
        try:
            self._allowed = True
            if self._noted is not None:
                raise InterruptedRunError(self._noted)
            yield
        except KeyboardInterrupt:  # a library may raise one of its own in the place of ours
            if self._noted is None:
                raise
            raise InterruptedRunError(self._noted) from None
        finally:
            self._allowed = False

    def _note(self, number: int, _: FrameType | None) -> None:
        if self._noted is not None:
            os._exit(128 + number)
        self._noted = number
        if self._allowed:
            raise InterruptedRunError(number)
