"""Keyed randomness: every draw depends on its name, never on the order in which draws are made."""

from zlib import crc32

import numpy as np


def keyed_generator(seed: int, purpose: str, *ids: int) -> np.random.Generator:
    """A generator that belongs to `(seed, purpose, ids)` alone.

    Two calls with the same key give the same stream on every machine; different keys give
    independent streams (SeedSequence hashes the key, Philox is counter-based).
    """
    sequence = np.random.SeedSequence(seed, spawn_key=(crc32(purpose.encode()), *ids))
    return np.random.Generator(np.random.Philox(sequence))
