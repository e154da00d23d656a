"""What comes with the core, registered by the same hooks as anybody's plugin."""

from collections.abc import Callable
from typing import Any

from nas_surgery.analysis.scores import SCORES, Score
from nas_surgery.operations import OPERATIONS, Operation
from nas_surgery.training.backend import Backend


def nas_surgery_operations() -> dict[str, type[Operation]]:
    return OPERATIONS


def nas_surgery_scores() -> dict[str, Score]:
    return SCORES


def nas_surgery_strategies() -> dict[str, Any]:
    from nas_surgery.strategies import STRATEGIES

    return STRATEGIES


def nas_surgery_backends() -> dict[str, Callable[[], Backend]]:
    from nas_surgery.numpy_backend.backend import NumpyBackend

    return {"numpy": NumpyBackend}


def nas_surgery_executors() -> dict[str, Any]:
    from nas_surgery.executors import EXECUTORS

    return EXECUTORS


def nas_surgery_datasets() -> dict[str, Any]:
    from nas_surgery.data.sources import SOURCES

    return SOURCES
