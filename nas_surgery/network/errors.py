"""The one family of errors that a user of the package has to know."""

from collections.abc import Sequence

from nas_surgery.network.text import one_line


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


class UnsupportedModelError(ModelFileError):
    """A model of another tool holds what no network can; `reasons` are all there are, each in one line."""

    def __init__(self, message: str, reasons: Sequence[str]) -> None:
        super().__init__(message)
        self.reasons = tuple(one_line(reason) for reason in reasons)
