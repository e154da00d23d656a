"""Things by name, from the built-ins and every installed plugin."""

from typing import Any

from nas_surgery.analysis.scores import Score
from nas_surgery.network import expect
from nas_surgery.operations import Operation
from nas_surgery.plugins.registry import default_registry
from nas_surgery.training.backend import Backend


def operation(name: str, **fields: Any) -> Operation:
    """An operation with its arguments, such as `operation("add_neurons", layer=0, count=4)`.

    Calling it on a network gives the edited network; its `apply` gives the whole Surgery. Raises
    OperationError for a wrong argument and PluginError for an unknown name.
    """
    expect("name", name, str, 'the name of an operation, such as "add_neurons"')
    cls: type[Operation] = default_registry().get("operations", name)
    return cls.from_fields(fields)


def backends() -> tuple[str, ...]:
    """Names of the backends that are installed; their frameworks may still be missing."""
    return default_registry().names("backends")


def backend(name: str) -> Backend:
    """A training backend; its framework is imported here. Raises BackendError if that fails."""
    expect("name", name, str, 'the name of a backend, such as "numpy"')
    made: Backend = default_registry().get("backends", name)()
    return made


def score(name: str) -> Score:
    """A score, such as `score("paper")(accuracy=…, gain=…, size_fraction=…)`."""
    expect("name", name, str, 'the name of a score, such as "paper"')
    found: Score = default_registry().get("scores", name)
    return found
