"""Gradients inside a network on a probe batch, for operations that look where the loss would fall."""

import numpy as np

from nas_surgery.errors import OperationError
from nas_surgery.network import Array, Layer, Network


def output_gradient(
    network: Network, address: int, probe: Array, labels: Array, loss: str
) -> Array:
    """Gradient of the summed loss with respect to what layer `address` puts out, in float64.

    probe: (N, *input_shape) raw inputs; labels: (N,) classes or (N, outputs) targets. Returns
    (N, *output shape of the layer). OperationError for layers whose derivative is not known here.
    """
    if network.wires:
        raise OperationError("gradients inside a network with branches are not known to surgery")
    behind = network.layers[address + 1 :]
    unknown = next((layer for layer in behind if not _known(layer)), None)
    if unknown is not None:
        raise OperationError(
            f"the derivative of a {type(unknown).__name__} is not known to surgery"
        )
    values = [network.forward(probe, stop=address + 1).astype(np.float64)]
    for layer in behind:
        values.append(layer.forward(values[-1]))
    gradient = _loss_gradient(values[-1], labels, loss)
    for layer, x, y in reversed(list(zip(behind, values[:-1], values[1:], strict=True))):
        gradient = layer.backward(x, y, gradient)
    return gradient


def differentiable(network: Network, address: int) -> bool:
    """Whether `output_gradient` knows the derivative of every layer behind `address`; of chains alone."""
    return not network.wires and all(_known(layer) for layer in network.layers[address + 1 :])


def _loss_gradient(outputs: Array, labels: Array, loss: str) -> Array:
    if loss == "mean_squared_error":
        difference: Array = 2 * (outputs - labels) / outputs.shape[1]
        return difference
    exponentials = np.exp(outputs - outputs.max(axis=1, keepdims=True))
    gradient: Array = exponentials / exponentials.sum(axis=1, keepdims=True)
    gradient[np.arange(len(labels)), labels] -= 1
    return gradient


def _known(layer: Layer) -> bool:
    return type(layer).backward is not Layer.backward
