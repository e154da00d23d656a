"""The one family of errors that a user of the package has to know."""


class NasSurgeryError(Exception):
    """Base of every error raised on purpose; its message is one line written for a person."""

    exit_code = 2  # of the command line: wrong input


class NetworkError(NasSurgeryError):
    """A network, a layer or an input breaks a validity rule; names layer, field, rule and shapes."""


class ModelFileError(NasSurgeryError):
    """A model file cannot be read safely or completely; names the file and the reason."""
