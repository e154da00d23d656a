"""A network where one is needed, and what to do with what only holds one."""

import os
from typing import Any

from nas_surgery.network.arguments import refusal
from nas_surgery.network.network import Network

FRAMEWORKS = {"torch": "torch", "keras": "tensorflow", "tensorflow": "tensorflow"}


def expect_network(name: str, value: Any) -> None:
    """ArgumentError unless `value` is a Network; it says how to get one from what was given."""
    if not isinstance(value, Network):
        raise refusal(name, value, "a Network", _advice(value))


def _advice(value: Any) -> str:
    if isinstance(value, str | os.PathLike):
        return "; nas_surgery.load reads a file"
    if isinstance(getattr(value, "network", None), Network):
        return "; its .network is one"
    roots = (base.__module__.partition(".")[0] for base in type(value).__mro__)
    backend = next((FRAMEWORKS[root] for root in roots if root in FRAMEWORKS), None)
    if backend is None:
        return ""
    return f'; nas_surgery.backend("{backend}").from_native(model, input_shape) makes one of it'
