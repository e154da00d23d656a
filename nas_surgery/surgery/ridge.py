"""Ridge least squares with an offset, and a strength that generalises beyond the probe."""

import attrs
import numpy as np
from scipy import linalg

from nas_surgery.network import Array

STRENGTHS = np.logspace(-12, 0, 25)  # relative to the largest squared singular value
LARGEST_INFLATION = 1000.0  # where there are as many inputs as rows, and no strength yet


@attrs.frozen(eq=False)
class Fit:
    """y ≈ x A + o. weights A: (in, out); offset o: (out,); inflation: RMS of the residuals that is to
    be expected on new rows (generalised cross-validation) ÷ that on the fitted ones."""

    weights: Array
    offset: Array
    inflation: float


def ridge(x: Array, y: Array, centred: bool = True) -> Fit:
    """Least squares of y (rows, out) on x (rows, in), both float64; without an offset if not `centred`.

    The ridge is chosen by generalised cross-validation (Golub, Heath, Wahba 1979), so that as many
    inputs as rows do not fit the probe's noise, while an exact relation is found exactly.
    """
    means = [values.mean(axis=0) * centred for values in (x, y)]
    left, values, right_t = linalg.svd(x - means[0], full_matrices=False, lapack_driver="gesdd")
    target = y - means[1]
    projected = left.T @ target
    powers = values**2
    top = powers.max(initial=0.0)
    outside = float(max(np.sum(target**2) - np.sum(projected**2), 0.0))
    scores = [_score(powers, projected, outside, s * top, len(y)) for s in STRENGTHS]
    strength = STRENGTHS[int(np.argmin(scores))] * top
    shrunk = np.divide(values, powers + strength, where=values > 0, out=np.zeros_like(values))
    weights = right_t.T @ (shrunk[:, None] * projected)
    return Fit(weights, means[1] - means[0] @ weights, _inflation(powers, strength, len(y)))


def _score(powers: Array, projected: Array, outside: float, strength: float, rows: int) -> float:
    """Squared residuals to be expected on as many new rows, up to a constant factor."""
    lost = strength * projected / np.where(powers > 0, powers + strength, 1)[:, None]
    residual = outside + float(np.sum(lost**2))
    return residual * _inflation(powers, strength, rows) ** 2


def _inflation(powers: Array, strength: float, rows: int) -> float:
    kept = np.divide(powers, powers + strength, where=powers > 0, out=np.zeros_like(powers))
    freedom = rows - 1 - float(kept.sum())  # one for the mean
    return rows / max(freedom, rows / LARGEST_INFLATION)
