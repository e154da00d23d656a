"""How good outputs are: losses, accuracy and R², in float64."""

import attrs
import numpy as np

from nas_surgery.network import Array

LOSSES = ("cross_entropy", "mean_squared_error")


@attrs.frozen
class Evaluation:
    """Mean loss, and accuracy (or R² for regression), over a set of samples."""

    loss: float
    accuracy: float


def evaluate(logits: Array, y: Array, loss: str) -> Evaluation:
    """Loss and accuracy of logits (N, outputs) against labels, in float64."""
    z = logits.astype(np.float64)
    if loss == "mean_squared_error":
        return Evaluation(float(np.mean((z - y) ** 2)), r_squared(z, y))
    losses = sample_losses(z, y, loss)
    return Evaluation(float(losses.mean()), float(np.mean(z.argmax(axis=1) == y)))


def sample_losses(logits: Array, y: Array, loss: str) -> Array:
    """The loss of each sample (N,), in float64."""
    z = logits.astype(np.float64, copy=False)
    if loss == "mean_squared_error":
        return np.asarray(((z - y) ** 2).mean(axis=1))
    peak = z.max(axis=1)
    with np.errstate(invalid="ignore", over="ignore"):
        total = np.log(np.exp(z - peak[:, None]).sum(axis=1)) + peak
        return np.asarray(total - z[np.arange(len(z)), y])


def part_means(values: Array, parts: int) -> tuple[float, ...]:
    """Means over so many parts of the samples, or as many as there are samples: every n-th belongs to one."""
    count = min(parts, len(values))
    return tuple(float(values[i::count].mean()) for i in range(count))


def r_squared(predictions: Array, targets: Array) -> float:
    """Coefficient of determination, averaged over outputs; 0 for an output that does not vary."""
    residual = ((targets - predictions) ** 2).sum(axis=0)
    total = ((targets - targets.mean(axis=0)) ** 2).sum(axis=0)
    scores = np.where(total > 0, 1 - residual / np.where(total > 0, total, 1), 0.0)
    return float(np.mean(scores))
