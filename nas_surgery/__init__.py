"""Neural networks that grow and shrink while they train.

After *Neural network surgery: Combining training with topology optimization* (Schiessler, Aydin,
Linka, Cyron; Neural Networks 144, 2021).
"""

import logging
from importlib import import_module
from typing import Any

from nas_surgery.data.dataset import Dataset
from nas_surgery.errors import NasSurgeryError, StopRun
from nas_surgery.formats.models import load, save
from nas_surgery.network import (
    Activation,
    Add,
    Concat,
    Dense,
    Dropout,
    Flatten,
    Layer,
    Network,
    Normalize,
)
from nas_surgery.operations import Context, Operation, Proposal
from nas_surgery.plugins.hookspecs import hookimpl
from nas_surgery.plugins.lookup import backend, backends, operation, score
from nas_surgery.runs.result import ParetoPoint, Result
from nas_surgery.runs.runner import resume, run
from nas_surgery.runs.spec import Spec
from nas_surgery.search.interrupts import InterruptedRunError
from nas_surgery.surgery import Surgery
from nas_surgery.training.backend import Backend
from nas_surgery.training.plans import TrainingPlan
from nas_surgery.training.state import Samples, TrainState

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """`nas_surgery.plot` comes when it is first asked for: most never ask."""
    if name == "plot":
        return import_module("nas_surgery.plot")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


logging.getLogger("nas_surgery").addHandler(logging.NullHandler())

__all__ = [
    "Activation",
    "Add",
    "Backend",
    "Concat",
    "Context",
    "Dataset",
    "Dense",
    "Dropout",
    "Flatten",
    "InterruptedRunError",
    "Layer",
    "NasSurgeryError",
    "Network",
    "Normalize",
    "Operation",
    "ParetoPoint",
    "Proposal",
    "Result",
    "Samples",
    "Spec",
    "StopRun",
    "Surgery",
    "TrainState",
    "TrainingPlan",
    "__version__",
    "backend",
    "backends",
    "hookimpl",
    "load",
    "operation",
    "resume",
    "run",
    "save",
    "score",
]
