"""The errors of the package, in one place. All derive from `NasSurgeryError`."""

from nas_surgery.network.errors import (
    DataError,
    ModelFileError,
    NasSurgeryError,
    NetworkError,
)


class OperationError(NasSurgeryError):
    """An operation does not fit the network; names operation, layer and rule."""


class SpecError(NasSurgeryError):
    """A spec cannot be read or holds a wrong key or value; names file, key and rule."""


class SpecFileError(SpecError, ModelFileError):
    """A spec file cannot be read, or holds a wrong key or value; names file and reason."""


class DataFileError(DataError, ModelFileError):
    """A file of data cannot be read safely, or holds nothing usable; names file and reason."""


class BackendError(NasSurgeryError):
    """A backend cannot do what is asked; says which one can, where one can."""


class PluginError(NasSurgeryError):
    """A plugin cannot be loaded or used; names the plugin and the reason."""


class RunError(NasSurgeryError):
    """A run cannot start where it was asked to."""


class SearchFailedError(RunError):
    """A run ended without a valid network."""

    exit_code = 1


__all__ = [
    "BackendError",
    "DataError",
    "DataFileError",
    "ModelFileError",
    "NasSurgeryError",
    "NetworkError",
    "OperationError",
    "PluginError",
    "RunError",
    "SearchFailedError",
    "SpecError",
    "SpecFileError",
]
