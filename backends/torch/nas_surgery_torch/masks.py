"""Dropout masks: the same as the NumPy backend's, keyed by seed, step and layer."""

from collections.abc import Iterable

import torch

from nas_surgery.network import keyed_generator


class Masks:
    """The masks of a step, in place. places: address and rate of each Dropout, and its mask (batch, ...)."""

    def __init__(self, places: Iterable[tuple[int, float, torch.Tensor]]) -> None:
        self._all = list(places)

    def draw(self, seed: int, step: int) -> None:
        """Fill the masks for a step of the run."""
        for address, rate, mask in self._all:
            generator = keyed_generator(seed, "dropout", step, address)
            kept = torch.from_numpy(generator.random(tuple(mask.shape)) >= rate)
            mask.copy_(kept).div_(1 - rate)
