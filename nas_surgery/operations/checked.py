"""The rules that what an operation returns must keep, whoever wrote it."""

import operator as op
from typing import Any

from nas_surgery.errors import OperationError
from nas_surgery.network import Network, is_finite
from nas_surgery.operations.base import Operation
from nas_surgery.surgery import Surgery


def checked(operation: Operation, before: Network, surgery: Any) -> Network:
    """The edited network, if the operation kept the rules; OperationError names the one it broke."""
    if not isinstance(surgery, Surgery):
        raise OperationError(f"{operation.name}: apply must return a Surgery, got {surgery!r}")
    network = surgery.network
    if network.input_shape != before.input_shape or network.output_shape != before.output_shape:
        raise OperationError(
            f"{operation.name}: changed the network from {before.input_shape} → {before.output_shape}"
            f" to {network.input_shape} → {network.output_shape}; input and output must stay"
        )
    if any(map(op.is_not, network.layers[: before.prefix], before.layers[: before.prefix])):
        raise OperationError(
            f"{operation.name}: changed the preprocessing, which the data of the run have passed already"
        )
    if network.dtype != before.dtype or not is_finite(network):
        raise OperationError(f"{operation.name}: left weights that are not finite {before.dtype}")
    return network
