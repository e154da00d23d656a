"""Neural networks that grow and shrink while they train.

After *Neural network surgery: Combining training with topology optimization* (Schiessler, Aydin,
Linka, Cyron; Neural Networks 144, 2021).
"""

import logging
from importlib import import_module
from typing import TYPE_CHECKING, Any

from nas_surgery.data.dataset import Dataset
from nas_surgery.errors import NasSurgeryError, StopRun
from nas_surgery.formats.models import load
from nas_surgery.network import (
    GRU,
    LSTM,
    Activation,
    Add,
    Attend,
    AveragePool,
    BatchNorm,
    Concat,
    ConcatPositions,
    Conv,
    ConvTranspose,
    Crop,
    Dense,
    DepthToSpace,
    Dropout,
    Embedding,
    Flatten,
    GlobalAveragePool,
    GlobalMaxPool,
    GroupNorm,
    InstanceNorm,
    Layer,
    LayerNorm,
    MaxPool,
    Multiply,
    Network,
    Normalize,
    Pad,
    PReLU,
    Rearrange,
    Resize,
    RMSNorm,
    Scale,
    Select,
    Shift,
    Softmax,
    SpaceToDepth,
    Token,
)
from nas_surgery.operations import Context, Operation, Proposal
from nas_surgery.plugins.hookspecs import hookimpl
from nas_surgery.plugins.lookup import backend, backends, operation, score
from nas_surgery.plugins.natives import save
from nas_surgery.runs.result import ParetoPoint, Result
from nas_surgery.runs.runner import resume, run
from nas_surgery.runs.spec import Spec
from nas_surgery.search.interrupts import InterruptedRunError
from nas_surgery.surgery import Surgery
from nas_surgery.training.backend import Backend
from nas_surgery.training.plans import TrainingPlan
from nas_surgery.training.state import Samples, TrainState

if TYPE_CHECKING:
    from nas_surgery.studies.study import study

__version__ = "0.1.0"


logging.getLogger("nas_surgery").addHandler(logging.NullHandler())

__all__ = [
    "GRU",
    "LSTM",
    "Activation",
    "Add",
    "Attend",
    "AveragePool",
    "Backend",
    "BatchNorm",
    "Concat",
    "ConcatPositions",
    "Context",
    "Conv",
    "ConvTranspose",
    "Crop",
    "Dataset",
    "Dense",
    "DepthToSpace",
    "Dropout",
    "Embedding",
    "Flatten",
    "GlobalAveragePool",
    "GlobalMaxPool",
    "GroupNorm",
    "InstanceNorm",
    "InterruptedRunError",
    "Layer",
    "LayerNorm",
    "MaxPool",
    "Multiply",
    "NasSurgeryError",
    "Network",
    "Normalize",
    "Operation",
    "PReLU",
    "Pad",
    "ParetoPoint",
    "Proposal",
    "RMSNorm",
    "Rearrange",
    "Resize",
    "Result",
    "Samples",
    "Scale",
    "Select",
    "Shift",
    "Softmax",
    "SpaceToDepth",
    "Spec",
    "StopRun",
    "Surgery",
    "Token",
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
    "shrink",
    "study",
]


_LATER = {"shrink": "nas_surgery.shrinking.shrink", "study": "nas_surgery.studies.study"}


def __getattr__(name: str) -> Any:
    """What is not needed by every program is imported when it is first asked for."""
    if name == "plot":
        return import_module("nas_surgery.plot")
    if name in _LATER:
        return getattr(import_module(_LATER[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
