"""Suites on accelerators: collected only where there is one, so that no skips hide others."""

from collections.abc import Callable
from typing import TypeVar

from nas_surgery.errors import BackendError
from nas_surgery.training.backend import Backend

Suite = TypeVar("Suite", bound=type)


def on_device(device: str, make: Callable[[], Backend]) -> Callable[[Suite], Suite]:
    """Let a class of tests run on a device, and be collected only where the backend has it.

    make: the backend, or a function that makes it.

    Example::

        @on_device("cuda", MyBackend)
        class TestMyBackendOnCuda(TestMyBackend):
            tolerances = {"float32": 1e-4, "float64": 1e-6}
    """

    def place(suite: Suite) -> Suite:
        suite.device = device  # type: ignore[attr-defined]
        suite.__test__ = _has(device, make)  # type: ignore[attr-defined]
        return suite

    return place


def _has(device: str, make: Callable[[], Backend]) -> bool:
    try:
        return device in make().devices()
    except BackendError:  # its framework is not there
        return False
