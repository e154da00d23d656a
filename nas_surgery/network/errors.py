"""The one family of errors that a user of the package has to know."""

MAX_MESSAGE = 1000
TAIL = 300


class NasSurgeryError(Exception):
    """Base of every error raised on purpose; its message is one line written for a person."""

    exit_code = 2  # of the command line: wrong input


class ArgumentError(NasSurgeryError):
    """A function was given something else than what it takes; names the argument and both."""


class NetworkError(NasSurgeryError):
    """A network, a layer or an input breaks a validity rule; names layer, field, rule and shapes."""


class DataError(NasSurgeryError):
    """Data cannot be loaded or used; names the source, the place and the rule."""


class ModelFileError(NasSurgeryError):
    """A file cannot be read safely or completely; names the file and the reason.

    Base of the errors of every kind of file: models, and with `DataFileError` and `SpecFileError`
    data and specs. What it quotes from a file is made harmless to a terminal.
    """

    def __init__(self, message: str) -> None:
        super().__init__(one_line(message))


def one_line(text: str) -> str:
    """`text` in one line of at most MAX_MESSAGE printable characters; others are escaped."""
    if len(text) > 4 * MAX_MESSAGE:
        text = f"{text[: 2 * MAX_MESSAGE]}…{text[-2 * MAX_MESSAGE :]}"
    line = " ".join(text.split())
    shown = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in line)
    if len(shown) <= MAX_MESSAGE:
        return shown
    return f"{shown[: MAX_MESSAGE - TAIL - 1]}…{shown[-TAIL:]}"
