"""Gated recurrent units.

Cho et al.: Learning phrase representations using RNN encoder-decoder (2014), in the variant of cuDNN, where
the reset gate acts behind the recurrent weights.
"""

from typing import Any, ClassVar

import attrs

from nas_surgery.network.arrays import Array, frozen_array
from nas_surgery.network.bounded import sigmoid, tanh
from nas_surgery.network.channels import Channels
from nas_surgery.network.layers.fields import optional_array
from nas_surgery.network.layers.recurrent import (
    BIAS,
    RECURRENT_BIAS,
    Recurrent,
    recurrent_channels,
)


@attrs.frozen(eq=False)
class GRU(Recurrent):
    """h' = (1 - z) n + z h, along a sequence (L, in).

    r and z are sigmoids of a + b and n = tanh(a + r b), where a = x kernel + bias and b = h recurrent +
    recurrent_bias. kernel: (in, 3, units); recurrent: (units, 3, units); both biases: (3, units) or None;
    gates in the order r, z, n. sequences: whether every output is given, (L, units), or the last,
    (units,). reverse: from the last position on.
    """

    kind: ClassVar[str] = "gru"
    trainable: ClassVar[tuple[str, ...]] = ("kernel", "recurrent", "bias", "recurrent_bias")
    channels: ClassVar[Channels] = recurrent_channels(BIAS, RECURRENT_BIAS)
    gates: ClassVar[int] = 3
    states: ClassVar[int] = 1

    kernel: Array = attrs.field(converter=frozen_array)
    recurrent: Array = attrs.field(converter=frozen_array)
    bias: Array | None = attrs.field(converter=optional_array, default=None)
    recurrent_bias: Array | None = attrs.field(converter=optional_array, default=None)
    sequences: bool = True
    reverse: bool = False

    def _recurring(self, h: Any) -> Any:
        return self._gates(h, self.recurrent, self.recurrent_bias)

    def _step(self, a: Any, b: Any, state: tuple[Any, ...]) -> tuple[Any, ...]:
        (h,) = state
        r, z = (sigmoid(a[:, gate] + b[:, gate]) for gate in (0, 1))
        n = tanh(a[:, 2] + r * b[:, 2])
        return ((1 - z) * n + z * h,)
