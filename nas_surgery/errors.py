"""The errors of the package, in one place. All derive from `NasSurgeryError`, but for `StopRun`, which is none."""

from nas_surgery.network.errors import (
    ArgumentError,
    DataError,
    ModelFileError,
    NasSurgeryError,
    NetworkError,
    UnsupportedModelError,
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


class OutputError(NasSurgeryError):
    """What a command found cannot be printed; says why."""

    exit_code = 1


class MissingExtraError(NasSurgeryError):
    """What only some need is not installed; says how to install it."""


class SearchFailedError(RunError):
    """A run ended without a valid network."""

    exit_code = 1


class EstimatorError(NasSurgeryError, ValueError):
    """An estimator cannot use its parameters or what it was given; a ValueError, as scikit-learn expects."""


class StudyError(RunError):
    """Runs of a study could not be carried out; the others are kept."""

    exit_code = 1


class StopRun(Exception):  # noqa: N818 (a wish, no error)
    """Raised by an observer, or by a plugin's `nas_surgery_on_event`: the run ends in order behind the job
    that goes on, with the best network so far, and as soon as there is one."""


__all__ = [
    "ArgumentError",
    "BackendError",
    "DataError",
    "DataFileError",
    "EstimatorError",
    "MissingExtraError",
    "ModelFileError",
    "NasSurgeryError",
    "NetworkError",
    "OperationError",
    "OutputError",
    "PluginError",
    "RunError",
    "SearchFailedError",
    "SpecError",
    "SpecFileError",
    "StopRun",
    "StudyError",
    "UnsupportedModelError",
]
