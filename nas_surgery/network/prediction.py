"""What a network answers: labels where it tells classes apart, values where it does not."""

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import softmax

from nas_surgery.network.arrays import Array, label_array
from nas_surgery.network.errors import DataError
from nas_surgery.network.tables import numbers

if TYPE_CHECKING:
    from nas_surgery.network.network import Network

BATCH_VALUES = 2**22  # numbers of the largest array that one layer makes of a batch


def predictions(network: "Network", x: Any) -> Array:
    """The labels (N,) of the largest outputs; without classes the outputs, (N,) where there is one."""
    outputs = outputs_of(network, x)
    if network.classes is not None:
        found: Array = label_array(network.classes)[outputs.argmax(axis=1)]
        return found
    return outputs[:, 0] if outputs.shape[1] == 1 else outputs


def probabilities(network: "Network", x: Any) -> Array:
    """The softmax (N, classes) of the outputs, in float64."""
    return np.asarray(softmax(outputs_of(network, x).astype(np.float64), axis=1))


def outputs_of(network: "Network", x: Any) -> Array:
    """Outputs (N, outputs) for samples (N, *input_shape), computed batch by batch.

    Raises DataError, with row and column, for what are no finite numbers, and for another shape.
    """
    samples = numbers(x)
    if samples.ndim == 0 or samples.shape[1:] != network.input_shape:
        wanted = ", ".join(map(str, network.input_shape))
        raise DataError(f"inputs of shape (N, {wanted}) are needed, got {samples.shape}")
    widest = max(int(np.prod(shape)) for shape in network.shapes)
    size = max(1, BATCH_VALUES // widest)
    outputs = np.empty((len(samples), *network.output_shape), network.dtype)
    for first in range(0, len(samples), size):
        batch = slice(first, first + size)
        outputs[batch] = network.forward(samples[batch])
    return outputs
