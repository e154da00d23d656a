"""What layers have in common that carry a state from position to position."""

from abc import abstractmethod
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any, ClassVar

import numpy as np

from nas_surgery.network.arrays import Array, Shape
from nas_surgery.network.bounded import Bounded, limited
from nas_surgery.network.channels import Axis, Channels, Outputs
from nas_surgery.network.errors import NetworkError
from nas_surgery.network.layers.base import Layer
from nas_surgery.network.layers.fields import check_shape, flag, settled
from nas_surgery.network.roundoff import unit_roundoff

BIAS, RECURRENT_BIAS = Axis("bias", -1), Axis("recurrent_bias", -1)


def recurrent_channels(*biases: Axis) -> Channels:
    """Of a layer with kernel (in, gates, units), recurrent (units, gates, units) and biases (gates, units)."""
    return Channels(
        Outputs.FRESH,
        reads=(Axis("kernel", 0),),
        writes=(Axis("kernel", -1),),
        per_channel=(*biases, Axis("recurrent", -1)),
        recurs=(Axis("recurrent", 0),),
    )


class Recurrent(Layer):
    """A sequence (L, in) from its first position to the last; backwards with `reverse`.

    Outputs are those of every position, each where its input stands, (L, units); or with
    `sequences=False` the one that is computed last, (units,). The first state is zero.
    """

    gates: ClassVar[int]
    states: ClassVar[int]

    kernel: Array
    recurrent: Array
    bias: Array | None
    sequences: bool
    reverse: bool

    def __attrs_post_init__(self) -> None:
        check_shape(self, "kernel", ("in", self.gates, "units"))
        because = f" for kernel {self.kernel.shape}"
        check_shape(self, "recurrent", (self.units, self.gates, self.units), because)
        for field in self.arrays().keys() & {"bias", "recurrent_bias"}:
            check_shape(self, field, (self.gates, self.units), because)
        name = type(self).__name__
        settled(
            self,
            sequences=flag(f"{name}.sequences", self.sequences),
            reverse=flag(f"{name}.reverse", self.reverse),
        )

    @property
    def fan_in(self) -> int:
        return int(self.kernel.shape[0])

    @property
    def units(self) -> int:
        return int(self.kernel.shape[-1])

    def output_shape(self, input_shape: Shape) -> Shape:
        if len(input_shape) != 2 or input_shape[-1] != self.fan_in:
            raise NetworkError(
                f"{type(self).__name__}.kernel {self.kernel.shape} needs a sequence of"
                f" {self.fan_in} channels, got inputs of shape {input_shape}"
            )
        return (input_shape[0], self.units) if self.sequences else (self.units,)

    def macs(self, input_shape: Shape) -> int:
        return input_shape[0] * self.gates * (self.fan_in + self.units) * self.units

    def forward(self, x: Array) -> Array:
        zero = np.zeros((len(x), self.units), x.dtype)
        return self._together(self._walk(x, zero))

    def error_behind(self, x: Array, errors: Array, unit: float) -> Array:
        """Runtimes may compute it in float32 whatever the unit."""
        unit = max(unit, unit_roundoff(np.float32))
        zero = np.zeros((len(x), self.units))
        outputs = self._walk(Bounded(x, errors, unit), Bounded(zero, zero, unit))
        return self._together(output.error for output in outputs)

    def describe(self) -> str:
        return super().describe() + (" backwards" if self.reverse else "")

    def _walk(self, x: Any, zero: Any) -> Iterator[Any]:
        """The output of each position, in the order of computation."""
        length = x.shape[1]
        inputs = self._gates(x, self.kernel, self.bias)
        state = (zero,) * self.states
        for place in range(length)[:: -1 if self.reverse else 1]:
            state = self._step(inputs[:, place], self._recurring(state[0]), state)
            state = tuple(limited(each, length) for each in state)
            yield state[0]

    def _together(self, outputs: Iterable[Array]) -> Array:
        """Those of all positions in their order, or the one that was computed last."""
        if not self.sequences:
            (last,) = deque(outputs, maxlen=1)
            return last
        return np.stack([*outputs][:: -1 if self.reverse else 1], axis=1)

    def _recurring(self, h: Any) -> Any:
        return self._gates(h, self.recurrent, None)

    def _gates(self, x: Any, kernel: Array, bias: Array | None) -> Any:
        """x @ kernel + bias as (..., gates, units)."""
        *positions, width = x.shape
        z = (x.reshape(-1, width) @ kernel.reshape(width, -1)).reshape(
            *positions, *kernel.shape[1:]
        )
        return z if bias is None else z + bias

    @abstractmethod
    def _step(self, a: Any, b: Any, state: tuple[Any, ...]) -> tuple[Any, ...]:
        """The next state from what inputs and the last output say to each gate, (N, gates, units)."""
