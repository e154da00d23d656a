"""A parsed file as plain values: nodes with their attributes, constants, and what goes in and out."""

from collections.abc import Mapping
from typing import Any

import attrs

from nas_surgery.formats.onnx.interface import Port
from nas_surgery.network import Array


@attrs.frozen(eq=False)
class Node:
    """One operator. version: the opset of its domain; proto: as it stands in the file."""

    name: str
    operator: str
    domain: str
    version: int
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]
    proto: Any


@attrs.frozen(eq=False)
class Graph:
    """What a file computes. opsets: versions by domain, "" for ONNX's own."""

    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    nodes: tuple[Node, ...]
    constants: Mapping[str, Array]
    opsets: Mapping[str, int]
    metadata: Mapping[str, str]
