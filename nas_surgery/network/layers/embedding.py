"""Tokens as vectors."""

from typing import ClassVar

import attrs
import numpy as np
from scipy.special import ndtr

from nas_surgery.network.arrays import Array, Shape, frozen_array
from nas_surgery.network.channels import Axis, Channels, Outputs
from nas_surgery.network.errors import NetworkError
from nas_surgery.network.layers.base import Layer
from nas_surgery.network.layers.fields import check_shape


@attrs.frozen(eq=False)
class Embedding(Layer):
    """The row of `table` (tokens, C) for each input, a whole number from 0 that floats hold.

    NetworkError for inputs that are no such number.
    """

    kind: ClassVar[str] = "embedding"
    trainable: ClassVar[tuple[str, ...]] = ("table",)
    channels: ClassVar[Channels] = Channels(Outputs.FRESH, writes=(Axis("table", -1),))

    table: Array = attrs.field(converter=frozen_array)

    def __attrs_post_init__(self) -> None:
        check_shape(self, "table", ("tokens", "C"))

    @property
    def tokens(self) -> int:
        return int(self.table.shape[0])

    def output_shape(self, input_shape: Shape) -> Shape:
        return (*input_shape, int(self.table.shape[1]))

    def forward(self, x: Array) -> Array:
        known = (x >= 0) & (x < self.tokens) & (x == np.floor(x))
        if not known.all():
            wrong = x[~known].flat[0]
            raise NetworkError(
                f"Embedding.table has {self.tokens} rows, so inputs are whole numbers from 0 to"
                f" {self.tokens - 1}, got {wrong:g}"
            )
        rows: Array = self.table[x.astype(np.intp)]
        return rows

    def error_behind(self, x: Array, errors: Array, unit: float) -> Array:
        """None, as long as each token is the nearest whole number; then that of any other row."""
        spread = np.ptp(self.table, axis=0).astype(np.float64)
        bound: Array = np.where(errors[..., None] < 0.5, 0, spread)
        return bound

    def usual_inputs(self, x: Array) -> Array:
        tokens: Array = np.minimum(np.floor(ndtr(x) * self.tokens), self.tokens - 1)
        return tokens

    def describe(self) -> str:
        return f"{super().describe()} of {self.tokens}"
