"""The topology IR: layers, networks, shapes, validity rules, and the NumPy forward pass."""

from nas_surgery.network.activations import ACTIVATIONS
from nas_surgery.network.arguments import (
    as_functions,
    as_mapping,
    as_numbers,
    as_path,
    expect,
    expect_seed,
    refusal,
)
from nas_surgery.network.arrays import Array, Label, Shape, frozen_array, own, read_only
from nas_surgery.network.errors import (
    ArgumentError,
    ModelFileError,
    NasSurgeryError,
    NetworkError,
)
from nas_surgery.network.finite import check_finite, is_finite
from nas_surgery.network.given import expect_network
from nas_surgery.network.groups import Group, Reader, linear_layer
from nas_surgery.network.initializers import INITIALIZERS
from nas_surgery.network.keyed import keyed_generator
from nas_surgery.network.layers import (
    LAYERS,
    Activation,
    Dense,
    Dropout,
    Flatten,
    Layer,
    Normalize,
    Passes,
)
from nas_surgery.network.network import Network

__all__ = [
    "ACTIVATIONS",
    "INITIALIZERS",
    "LAYERS",
    "Activation",
    "ArgumentError",
    "Array",
    "Dense",
    "Dropout",
    "Flatten",
    "Group",
    "Label",
    "Layer",
    "ModelFileError",
    "NasSurgeryError",
    "Network",
    "NetworkError",
    "Normalize",
    "Passes",
    "Reader",
    "Shape",
    "as_functions",
    "as_mapping",
    "as_numbers",
    "as_path",
    "check_finite",
    "expect",
    "expect_network",
    "expect_seed",
    "frozen_array",
    "is_finite",
    "keyed_generator",
    "linear_layer",
    "own",
    "read_only",
    "refusal",
]
