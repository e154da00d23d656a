"""Gradients inside a network on a probe batch, for operations that look where the loss would fall."""

import numpy as np

from nas_surgery.errors import OperationError
from nas_surgery.network import Activation, Array, Dense, Dropout, Flatten, Layer, Network


def output_gradient(
    network: Network, address: int, probe: Array, labels: Array, loss: str
) -> Array:
    """Gradient of the summed loss with respect to what layer `address` puts out, in float64.

    probe: (N, *input_shape) raw inputs; labels: (N,) classes or (N, outputs) targets. Returns
    (N, *output shape of the layer). OperationError for layers whose derivative is not known here.
    """
    values = [network.forward(probe, stop=address + 1).astype(np.float64)]
    for layer in network.layers[address + 1 :]:
        values.append(layer.forward(values[-1]))
    gradient = _loss_gradient(values[-1], labels, loss)
    behind = network.layers[address + 1 :]
    for layer, x, y in reversed(list(zip(behind, values[:-1], values[1:], strict=True))):
        gradient = _backward(layer, x, y, gradient)
    return gradient


def differentiable(network: Network, address: int) -> bool:
    """Whether `output_gradient` knows the derivative of every layer behind `address`."""
    known = (Dense, Activation, Flatten, Dropout)
    return all(isinstance(layer, known) for layer in network.layers[address + 1 :])


def _loss_gradient(outputs: Array, labels: Array, loss: str) -> Array:
    if loss == "mean_squared_error":
        difference: Array = 2 * (outputs - labels) / outputs.shape[1]
        return difference
    exponentials = np.exp(outputs - outputs.max(axis=1, keepdims=True))
    gradient: Array = exponentials / exponentials.sum(axis=1, keepdims=True)
    gradient[np.arange(len(labels)), labels] -= 1
    return gradient


def _backward(layer: Layer, x: Array, y: Array, gradient: Array) -> Array:
    """From the gradient behind a layer to that before it."""
    if isinstance(layer, Dense):
        back: Array = gradient @ layer.kernel.T.astype(np.float64)
        return back
    if isinstance(layer, Activation):
        slope: Array = gradient * layer.definition.derivative(x, y)
        return slope
    if isinstance(layer, Flatten):
        return gradient.reshape(x.shape)
    if isinstance(layer, Dropout):
        return gradient
    raise OperationError(f"the derivative of a {type(layer).__name__} is not known to surgery")
