"""Text on its way to a person: what it holds that a terminal would obey, or cannot show, is escaped."""

import os
import sys
from typing import TextIO

from nas_surgery.errors import OutputError
from nas_surgery.network.text import one_line, printable


def say(text: object) -> None:
    """Print on standard output; OutputError if it takes no more."""
    try:
        _write(sys.stdout, printable(text))
    except BrokenPipeError:
        raise
    except OSError as error:
        mute(sys.stdout)
        raise OutputError(f"standard output: {error.strerror or error}") from None


def complain(text: object) -> None:
    """Print one line on standard error; there is nobody to tell if that takes no more."""
    try:
        _write(sys.stderr, f"nas-surgery: {one_line(text)}")
    except OSError:
        mute(sys.stderr)


def _write(stream: TextIO | None, text: str) -> None:
    if stream is None:
        return
    encoding = getattr(stream, "encoding", None) or "utf-8"
    stream.write(text.encode(encoding, "backslashreplace").decode(encoding) + "\n")
    stream.flush()


def mute(stream: TextIO | None) -> None:
    """Let what is left in its buffer go nowhere, so that the interpreter does not fail on it at its end."""
    if stream is None:
        return
    try:
        number = stream.fileno()
    except OSError:  # it is none of the system's
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, number)
    os.close(nowhere)
