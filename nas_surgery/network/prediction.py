"""What a network answers: labels where it tells classes apart, values where it does not."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from scipy.special import softmax

from nas_surgery.network.arrays import Array, Label, Shape, label_array
from nas_surgery.network.errors import DataError
from nas_surgery.network.tables import numbers

BATCH_VALUES = 2**22  # numbers of the largest array that one layer makes of a batch


def answers(outputs: Array, classes: tuple[Label, ...] | None) -> Array:
    """The labels (N,) of the largest outputs; without classes the outputs, (N,) where there is one."""
    if classes is not None:
        found: Array = label_array(classes)[outputs.argmax(axis=1)]
        return found
    return outputs[:, 0] if outputs.shape[1:] == (1,) else outputs


def probabilities(outputs: Array) -> Array:
    """The softmax (N, classes) of the outputs, in float64."""
    return np.asarray(softmax(outputs.astype(np.float64), axis=1))


def checked_samples(x: Any, input_shape: Shape) -> Array:
    """Samples (N, *input_shape) as an array.

    Raises DataError, with row and column, for what are no finite numbers, and for another shape.
    """
    samples = numbers(x)
    if samples.ndim == 0 or samples.shape[1:] != input_shape:
        wanted = ", ".join(map(str, input_shape))
        raise DataError(f"inputs of shape (N, {wanted}) are needed, got {samples.shape}")
    return samples


def batch_by_batch(
    forward: Callable[[Array], Array], samples: Array, shapes: Sequence[Shape], dtype: Any
) -> Array:
    """Outputs (N, *output_shape) in bounded memory. shapes: of one sample before and behind every layer."""
    widest = max(int(np.prod(shape)) for shape in shapes)
    size = max(1, BATCH_VALUES // widest)
    outputs = np.empty((len(samples), *shapes[-1]), dtype)
    for first in range(0, len(samples), size):
        batch = slice(first, first + size)
        outputs[batch] = forward(samples[batch])
    return outputs
