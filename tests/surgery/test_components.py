import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas_surgery.network import Dense
from nas_surgery.surgery import components, singular_components
from nas_surgery.testing.builders import random_dense

shapes = st.tuples(st.integers(1, 7), st.integers(1, 7))


def layer(shape, seed=0, bias=True):
    return random_dense(np.random.default_rng(seed), *shape, bias=bias)


@given(shapes, st.integers(0, 99))
def test_components_rebuild_the_kernel(shape, seed):
    """W = U diag(S) Vᵀ with orthonormal U and V and descending S (eq. 10)."""
    dense = layer(shape, seed)
    parts = singular_components(dense)
    rank = min(shape)
    assert parts.left.shape == (shape[0], rank)
    assert parts.right.shape == (shape[1], rank)
    assert np.allclose(parts.left * parts.values @ parts.right.T, dense.kernel, atol=1e-13)
    assert np.allclose(parts.left.T @ parts.left, np.eye(rank), atol=1e-13)
    assert np.allclose(parts.right.T @ parts.right, np.eye(rank), atol=1e-13)
    assert np.all(np.diff(parts.values) <= 0)


@given(shapes, st.integers(0, 99), st.booleans())
def test_no_component_answers_ones_with_less_than_zero(shape, seed, bias):
    """The stated convention: Σ_i (W V)_ij + (b V)_j ≥ 0."""
    dense = layer(shape, seed, bias)
    parts = singular_components(dense, shape[1])
    shift = dense.bias if bias else 0
    assert np.all((dense.kernel.sum(axis=0) + shift) @ parts.right >= -1e-12)


@given(shapes, st.integers(0, 99), st.booleans())
def test_signs_do_not_depend_on_the_decomposition(shape, seed, complete):
    """LAPACK may return any pair of singular vectors negated: the components stay the same."""
    dense = layer(shape, seed)
    count = shape[1] if complete else min(shape)
    wanted = singular_components(dense, count)
    decompose = components.linalg.svd

    def flipped(kernel, full_matrices):
        left, values, right = decompose(kernel, full_matrices=full_matrices)
        signs = np.random.default_rng(seed).choice([-1.0, 1.0], max(len(right), left.shape[1]))
        return left * signs[: left.shape[1]], values, right * signs[: len(right), None]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(components.linalg, "svd", flipped)
        parts = singular_components(dense, count)
    assert np.allclose(parts.right, wanted.right, atol=1e-12)
    assert np.allclose(parts.left, wanted.left, atol=1e-12)


def test_more_components_than_the_rank_complete_the_basis():
    """A (2, 5) kernel has two singular values and five directions to keep."""
    parts = singular_components(layer((2, 5)), 4)
    assert parts.right.shape == (5, 4)
    assert parts.values[2:].tolist() == [0, 0]
    assert np.allclose(parts.right.T @ parts.right, np.eye(4), atol=1e-13)


def test_fewer_components_are_the_leading_ones():
    """`count` cuts the same list."""
    whole, some = singular_components(layer((6, 5))), singular_components(layer((6, 5)), 3)
    assert np.array_equal(some.values, whole.values[:3])
    assert np.allclose(some.right, whole.right[:, :3])


def test_components_are_computed_in_float64():
    """Also those of a float32 kernel."""
    dense = layer((4, 4))
    narrow = Dense(dense.kernel.astype(np.float32), dense.bias.astype(np.float32))
    assert singular_components(narrow).right.dtype == np.float64
    assert np.allclose(singular_components(narrow).right, singular_components(dense).right)
