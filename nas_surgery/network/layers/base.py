"""What every layer can say about itself."""

from abc import ABC, abstractmethod
from enum import IntEnum
from typing import Any, ClassVar, cast

import attrs
import numpy as np

from nas_surgery.network.arrays import Array, Shape


class Passes(IntEnum):
    """The most general channel map M with layer(h M) = layer(h) M for every h."""

    NOTHING = 0
    SELECTION = 1  # copies and drops channels: every elementwise function
    MONOMIAL = 2  # also rescales them by positive factors: positively homogeneous functions
    ANY = 3


class Layer(ABC):
    """What every layer can say about itself. `kind` names it on disk and in tables."""

    kind: ClassVar[str]
    trainable: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def output_shape(self, input_shape: Shape) -> Shape:
        """Shape of one sample behind the layer; NetworkError where `input_shape` does not fit."""

    @abstractmethod
    def forward(self, x: Array) -> Array:
        """Inference on a batch `x` of shape (N, *input_shape)."""

    @property
    def passes(self) -> Passes:
        """What the layer lets through between a writer and a reader."""
        return Passes.NOTHING

    def macs(self, input_shape: Shape) -> int:
        """Multiply-accumulates for one sample."""
        return 0

    def arrays(self) -> dict[str, Array]:
        """Every array of the layer by field name, trainable or not."""
        return {k: v for k, v in self._fields().items() if isinstance(v, np.ndarray)}

    def parameters(self) -> dict[str, Array]:
        """The trainable arrays by field name."""
        return {name: value for name, value in self.arrays().items() if name in self.trainable}

    def config(self) -> dict[str, Any]:
        """The fields that are not arrays, as JSON values."""
        values = self._fields()
        return {k: v for k, v in values.items() if v is not None and not isinstance(v, np.ndarray)}

    def _fields(self) -> dict[str, Any]:
        """Field values by name; every layer is an attrs class."""
        return attrs.asdict(cast(attrs.AttrsInstance, self), recurse=False)
