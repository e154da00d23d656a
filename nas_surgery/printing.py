"""Text on its way to a person: what it holds that a terminal would obey, or cannot show, is escaped."""

import os
import sys
from typing import TextIO

from nas_surgery.errors import OutputError


def printable(text: object) -> str:
    """Text of unknown origin that is safe to print: all but line ends, spaces and what can be seen becomes
    an escape, such as `\\x1b` for the character that begins a terminal's commands, and `\\udcff` for a
    byte of a file name that is no UTF-8."""
    return "".join(
        char if char.isprintable() or char == "\n" else _escaped(char) for char in str(text)
    )


def one_line(text: object) -> str:
    """The same in one line."""
    return printable(" ".join(str(text).split()))


def say(text: object) -> None:
    """Print on standard output; OutputError if it takes no more."""
    try:
        _write(sys.stdout, printable(text))
    except BrokenPipeError:
        raise
    except OSError as error:
        _mute(sys.stdout)
        raise OutputError(f"standard output: {error.strerror or error}") from None


def complain(text: object) -> None:
    """Print one line on standard error; there is nobody to tell if that takes no more."""
    try:
        _write(sys.stderr, f"nas-surgery: {one_line(text)}")
    except OSError:
        _mute(sys.stderr)


def _escaped(char: str) -> str:
    return char.encode("unicode_escape").decode()


def _write(stream: TextIO | None, text: str) -> None:
    if stream is None:
        return
    encoding = getattr(stream, "encoding", None) or "utf-8"
    stream.write(text.encode(encoding, "backslashreplace").decode(encoding) + "\n")
    stream.flush()


def _mute(stream: TextIO) -> None:
    """Let what is left in its buffer go nowhere, so that the interpreter does not fail on it at its end."""
    try:
        number = stream.fileno()
    except OSError:  # it is none of the system's
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, number)
    os.close(nowhere)
