"""Singular components of a layer with a sign convention."""

import attrs
import numpy as np
from scipy import linalg

from nas_surgery.network import Array, Layer, bias_of, kernel_of


@attrs.frozen(eq=False)
class Components:
    """W = U diag(S) Vᵀ (eq. 10), W (positions · in, out). left U: (positions · in, k); values S: (k,) descending; right V: (out, k)."""

    left: Array
    values: Array
    right: Array

    @property
    def rank(self) -> int:
        """Number of singular values above rounding."""
        floor = np.finfo(np.float64).eps * 100 * self.values.max(initial=0.0)
        return int(np.sum(self.values > floor))

    def share_lost(self, rank: int) -> float:
        """Norm of the singular values beyond the first `rank` ÷ norm of all."""
        total = float(linalg.norm(self.values))
        return float(linalg.norm(self.values[rank:])) / total if total else 0.0


def singular_components(layer: Layer, count: int | None = None) -> Components:
    """The first `count` components of the kernel, in float64.

    Signs are arbitrary in an SVD and ReLU cares. Convention: the component's pre-activation for an
    input of ones, (Σ_i W V)_j + (b V)_j, is not negative; inputs are mostly non-negative (images in
    [0, 1], ReLU outputs), so this keeps a component on its active side. More components than the
    rank bound min(in, out) complete V to an orthonormal basis with zero singular values.
    """
    kernel = kernel_of(layer).astype(np.float64)
    kernel = kernel.reshape(-1, kernel.shape[-1])
    wanted = min(kernel.shape) if count is None else count
    complete = wanted > min(kernel.shape)
    left, values, right_t = linalg.svd(kernel, full_matrices=complete)
    values = np.pad(values, (0, max(0, wanted - len(values))))
    held = bias_of(layer)
    bias = None if held is None else held.reshape(-1, held.shape[-1]).sum(axis=0)
    signs = _signs(bias, kernel, right_t[:wanted].T)
    return Components(
        left[:, :wanted] * signs[: left.shape[1]], values[:wanted], right_t[:wanted].T * signs
    )


def _signs(bias: Array | None, kernel: Array, right: Array) -> Array:
    ones = kernel.sum(axis=0) if bias is None else kernel.sum(axis=0) + bias
    response = ones @ right
    return np.where(response < 0, -1.0, 1.0)
