"""Long short-term memory.

Hochreiter, Schmidhuber: Long short-term memory, Neural Computation 9 (1997), with the forget gate of
Gers, Schmidhuber, Cummins (2000).
"""

from typing import Any, ClassVar

import attrs

from nas_surgery.network.arrays import Array, frozen_array
from nas_surgery.network.bounded import sigmoid, tanh
from nas_surgery.network.channels import Channels
from nas_surgery.network.layers.fields import optional_array
from nas_surgery.network.layers.recurrent import BIAS, Recurrent, recurrent_channels


@attrs.frozen(eq=False)
class LSTM(Recurrent):
    """c' = f c + i g and h' = o tanh(c'), along a sequence (L, in).

    i, f, o are sigmoids and g is the tanh of x kernel + h recurrent + bias. kernel: (in, 4, units);
    recurrent: (units, 4, units); bias: (4, units) or None; gates in the order i, f, g, o. sequences:
    whether every output is given, (L, units), or the last, (units,). reverse: from the last position on.
    """

    kind: ClassVar[str] = "lstm"
    trainable: ClassVar[tuple[str, ...]] = ("kernel", "recurrent", "bias")
    channels: ClassVar[Channels] = recurrent_channels(BIAS)
    gates: ClassVar[int] = 4
    states: ClassVar[int] = 2

    kernel: Array = attrs.field(converter=frozen_array)
    recurrent: Array = attrs.field(converter=frozen_array)
    bias: Array | None = attrs.field(converter=optional_array, default=None)
    sequences: bool = True
    reverse: bool = False

    def _step(self, a: Any, b: Any, state: tuple[Any, ...]) -> tuple[Any, ...]:
        z, c = a + b, state[1]
        i, f, o = (sigmoid(z[:, gate]) for gate in (0, 1, 3))
        c = f * c + i * tanh(z[:, 2])
        return o * tanh(c), c
