"""Ridge least squares with an offset from sums over rows, so that the rows need not be kept."""

from collections.abc import Sequence

import attrs
import numpy as np
from scipy import linalg

from nas_surgery.network import Array

STRENGTHS = (1e-7, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1)  # relative to the mean square of a column


@attrs.define(eq=False)
class Sums:
    """What least squares of z (rows, q) on r (rows, p) needs to know of the rows."""

    count: float
    r: Array  # Σ r, (p,)
    z: Array  # Σ z, (q,)
    rr: Array  # Σ r rᵀ, (p, p)
    rz: Array  # Σ r zᵀ, (p, q)
    zz: float  # Σ |z|²

    @classmethod
    def empty(cls, columns: int, targets: int) -> "Sums":
        """Of no rows."""
        zeros = np.zeros
        return cls(
            0.0,
            zeros(columns),
            zeros(targets),
            zeros((columns,) * 2),
            zeros((columns, targets)),
            0.0,
        )

    def add(self, rows: Array, targets: Array, centred: bool = True) -> None:
        """Count more rows (n, p) with their targets (n, q), both float64; if not `centred`, as about 0."""
        self.count += len(rows)
        if centred:
            self.r += rows.sum(axis=0)
            self.z += targets.sum(axis=0)
        self.rr += rows.T @ rows
        self.rz += rows.T @ targets
        self.zz += float(np.sum(targets * targets))

    def __add__(self, other: "Sums") -> "Sums":
        mine, theirs = attrs.astuple(self, recurse=False), attrs.astuple(other, recurse=False)
        return Sums(*(a + b for a, b in zip(mine, theirs, strict=True)))

    def offset(self, weights: Array) -> Array:
        """The offset o (q,) that goes best with weights A (p, q) in z ≈ r A + o."""
        offset: Array = (self.z - self.r @ weights) / max(self.count, 1.0)
        return offset

    def error(self, weights: Array, offset: Array) -> float:
        """Σ |z - r A - o|², not below zero."""
        inner = np.sum(weights * (self.rr @ weights - 2 * self.rz))
        mixed = 2 * offset @ (self.r @ weights - self.z) + self.count * offset @ offset
        return max(float(self.zz + inner + mixed), 0.0)

    @property
    def spread(self) -> float:
        """Σ |z - mean|²."""
        return max(self.zz - float(self.z @ self.z) / max(self.count, 1.0), 0.0)


@attrs.frozen(eq=False)
class Solution:
    """z ≈ r A + o. weights A: (p, q); offset o: (q,); before, after: what the first prior and the
    solution lose on the rows that were held back, RMS ÷ RMS of the spread."""

    weights: Array
    offset: Array
    before: float
    after: float


def solved(fit: Sums, held: Sums, priors: Sequence[Array]) -> Solution:
    """Ridge least squares towards the one of the priors (p, q), and of the strength, that lose least on `held`.

    The first prior itself is among the answers.
    """
    choices: list[tuple[float, int, float | None]] = []
    for i, prior in enumerate(priors):
        choices.append((held.error(prior, fit.offset(prior)), i, None))
        for tried, weights in zip(STRENGTHS, _ridges(fit, prior, STRENGTHS), strict=True):
            choices.append((held.error(weights, fit.offset(weights)), i, tried))
    least, chosen, strength = min(choices, key=lambda choice: choice[0])
    whole = fit + held
    weights = priors[chosen]
    if strength is not None:
        (weights,) = _ridges(whole, priors[chosen], (strength,))
    size = held.spread or 1.0
    return Solution(
        weights,
        whole.offset(weights),
        float(np.sqrt(choices[0][0] / size)),
        float(np.sqrt(least / size)),
    )


def _ridges(sums: Sums, prior: Array, strengths: Sequence[float]) -> list[Array]:
    """argmin |z - r A - o|² + s · mean square · |A - prior|² for each s."""
    gram = sums.rr - np.outer(sums.r, sums.r) / max(sums.count, 1.0)
    left = sums.rz - np.outer(sums.r, sums.z) / max(sums.count, 1.0) - gram @ prior
    scale = float(np.trace(gram)) / len(gram)
    if not scale > 0:
        return [prior] * len(strengths)
    diagonal, found = gram.diagonal().copy(), []
    for strength in strengths:
        np.fill_diagonal(gram, diagonal + strength * scale)
        factor = linalg.cho_factor(gram, lower=True, check_finite=False)
        found.append(prior + linalg.cho_solve(factor, left, check_finite=False))
    return found
