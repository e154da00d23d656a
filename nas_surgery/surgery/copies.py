"""New units as copies of old ones.

Schiessler, Aydin, Linka, Cyron: Neural network surgery, Neural Networks 144 (2021), eqs. 4-8, after
Chen, Goodfellow, Shlens: Net2Net (2016).
"""

import numpy as np

from nas_surgery.network import Array
from nas_surgery.surgery.maps import WidthMap, selection


def clone_map(size: int, count: int, generator: np.random.Generator) -> WidthMap:
    """Incoming weights divided among the copies, outgoing ones duplicated (the paper's)."""
    origin = _origins(generator, size, count)
    share = 1.0 / np.bincount(origin, minlength=size)[origin]
    return WidthMap(selection(origin, size, share), selection(origin, size).T)


def split_map(size: int, count: int, generator: np.random.Generator) -> WidthMap:
    """Incoming weights duplicated, outgoing ones divided unevenly among the copies."""
    origin = _origins(generator, size, count)
    share = _uneven_shares(generator, origin, size)
    return WidthMap(selection(origin, size), selection(origin, size, share).T)


def _origins(generator: np.random.Generator, size: int, count: int) -> Array:
    """Which old unit each new column copies: all of them once, then `count` drawn as evenly as possible."""
    rounds = -(-count // size)
    drawn = np.concatenate([generator.permutation(size) for _ in range(rounds)])[:count]
    return np.concatenate([np.arange(size), drawn])


def _uneven_shares(generator: np.random.Generator, origin: Array, size: int) -> Array:
    """Positive shares (m,) that add up to 1 over the copies of each unit, and differ among them."""
    weights = generator.uniform(0.25, 1.75, len(origin))
    shares: Array = weights / np.bincount(origin, weights, minlength=size)[origin]
    return shares
