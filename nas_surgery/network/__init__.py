"""The topology IR: layers, networks, shapes, validity rules, and the NumPy forward pass."""

from nas_surgery.network.activations import ACTIVATIONS
from nas_surgery.network.arguments import (
    as_functions,
    as_items,
    as_mapping,
    as_numbers,
    as_path,
    expect,
    expect_seed,
    refusal,
)
from nas_surgery.network.arrays import Array, Label, Shape, frozen_array, own, read_only
from nas_surgery.network.channels import Axis, Channels, Outputs, Passes
from nas_surgery.network.errors import (
    ArgumentError,
    ModelFileError,
    NasSurgeryError,
    NetworkError,
)
from nas_surgery.network.finite import check_finite, is_finite
from nas_surgery.network.given import expect_network
from nas_surgery.network.groups import Group, Reader
from nas_surgery.network.initializers import INITIALIZERS
from nas_surgery.network.keyed import keyed_generator
from nas_surgery.network.layers import (
    LAYERS,
    Activation,
    Add,
    Concat,
    Dense,
    Dropout,
    Flatten,
    Join,
    Layer,
    Normalize,
    linear_layer,
)
from nas_surgery.network.network import Network
from nas_surgery.network.redrawing import redrawn
from nas_surgery.network.weights import (
    bias_of,
    fan_in,
    kernel_of,
    units,
    weights_along,
    with_weights,
)

__all__ = [
    "ACTIVATIONS",
    "INITIALIZERS",
    "LAYERS",
    "Activation",
    "Add",
    "ArgumentError",
    "Array",
    "Axis",
    "Channels",
    "Concat",
    "Dense",
    "Dropout",
    "Flatten",
    "Group",
    "Join",
    "Label",
    "Layer",
    "ModelFileError",
    "NasSurgeryError",
    "Network",
    "NetworkError",
    "Normalize",
    "Outputs",
    "Passes",
    "Reader",
    "Shape",
    "as_functions",
    "as_items",
    "as_mapping",
    "as_numbers",
    "as_path",
    "bias_of",
    "check_finite",
    "expect",
    "expect_network",
    "expect_seed",
    "fan_in",
    "frozen_array",
    "is_finite",
    "kernel_of",
    "keyed_generator",
    "linear_layer",
    "own",
    "read_only",
    "redrawn",
    "refusal",
    "units",
    "weights_along",
    "with_weights",
]
