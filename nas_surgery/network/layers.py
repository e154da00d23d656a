"""The layers of a network: immutable values with read-only arrays.

Channels are last. A linear layer is linear only; its activation is a layer of its own.
"""

from abc import ABC, abstractmethod
from enum import IntEnum
from math import prod
from numbers import Real
from typing import Any, ClassVar, cast

import attrs
import numpy as np

from nas_surgery.network.activations import ACTIVATIONS, Function
from nas_surgery.network.arguments import described
from nas_surgery.network.arrays import Array, Shape, frozen_array
from nas_surgery.network.errors import NetworkError


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


def _optional_array(values: Any) -> Array | None:
    return None if values is None else frozen_array(values)


@attrs.frozen(eq=False)
class Dense(Layer):
    """`x @ kernel + bias` on the last axis.

    kernel: (in, out); bias: (out,) or None. Raises NetworkError on other shapes.
    """

    kind: ClassVar[str] = "dense"
    trainable: ClassVar[tuple[str, ...]] = ("kernel", "bias")

    kernel: Array = attrs.field(converter=frozen_array)
    bias: Array | None = attrs.field(converter=_optional_array, default=None)

    def __attrs_post_init__(self) -> None:
        if self.kernel.ndim != 2 or 0 in self.kernel.shape:
            raise NetworkError(f"Dense.kernel needs shape (in, out), got {self.kernel.shape}")
        if self.bias is not None and self.bias.shape != (self.units,):
            raise NetworkError(
                f"Dense.bias needs shape {(self.units,)} for kernel {self.kernel.shape},"
                f" got {self.bias.shape}"
            )

    @property
    def fan_in(self) -> int:
        return int(self.kernel.shape[0])

    @property
    def units(self) -> int:
        return int(self.kernel.shape[1])

    def output_shape(self, input_shape: Shape) -> Shape:
        if not input_shape or input_shape[-1] != self.fan_in:
            raise NetworkError(
                f"Dense.kernel {self.kernel.shape} needs {self.fan_in} input channels,"
                f" got inputs of shape {input_shape}"
            )
        return (*input_shape[:-1], self.units)

    def forward(self, x: Array) -> Array:
        with np.errstate(invalid="ignore"):  # some BLAS raise it from what they pad
            y: Array = x @ self.kernel
        return y if self.bias is None else y + self.bias

    def macs(self, input_shape: Shape) -> int:
        return prod(input_shape) * self.units


@attrs.frozen
class Activation(Layer):
    """An elementwise function by name; see `ACTIVATIONS` for the names and their algebra."""

    kind: ClassVar[str] = "activation"

    function: str = "linear"

    def __attrs_post_init__(self) -> None:
        if not isinstance(self.function, str) or self.function not in ACTIVATIONS:
            known, given = ", ".join(ACTIVATIONS), described(self.function)
            raise NetworkError(f"Activation.function {given} is not one of {known}")

    @property
    def definition(self) -> Function:
        return ACTIVATIONS[self.function]

    @property
    def passes(self) -> Passes:
        if self.function == "linear":
            return Passes.ANY
        homogeneous = self.definition.positively_homogeneous
        return Passes.MONOMIAL if homogeneous else Passes.SELECTION

    def output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def forward(self, x: Array) -> Array:
        return self.definition.value(x)


@attrs.frozen
class Flatten(Layer):
    """Every sample as one vector, positions outer and channels inner."""

    kind: ClassVar[str] = "flatten"

    @property
    def passes(self) -> Passes:
        return Passes.ANY  # as I (positions) ⊗ M (channels)

    def output_shape(self, input_shape: Shape) -> Shape:
        return (prod(input_shape),)

    def forward(self, x: Array) -> Array:
        return x.reshape(len(x), prod(x.shape[1:]))


@attrs.frozen
class Dropout(Layer):
    """While training, drops each value with probability `rate` and rescales the rest by 1/(1 - rate)."""

    kind: ClassVar[str] = "dropout"

    rate: float = 0.5

    def __attrs_post_init__(self) -> None:
        if not isinstance(self.rate, Real) or not 0 <= self.rate < 1:
            raise NetworkError(f"Dropout.rate must be in [0, 1), got {described(self.rate)}")

    @property
    def passes(self) -> Passes:
        return Passes.ANY

    def output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def forward(self, x: Array) -> Array:
        return x


@attrs.frozen(eq=False)
class Normalize(Layer):
    """Frozen preprocessing, `(x - mean) / scale`; stands before every linear layer and Dropout.

    mean, scale: scalars or arrays that broadcast to one sample; scale has no zeros.
    """

    kind: ClassVar[str] = "normalize"

    mean: Array = attrs.field(converter=frozen_array)
    scale: Array = attrs.field(converter=frozen_array)

    def __attrs_post_init__(self) -> None:
        if not np.all(self.scale):
            raise NetworkError("Normalize.scale must not contain zeros")

    def output_shape(self, input_shape: Shape) -> Shape:
        for name, array in self.arrays().items():
            if not _broadcasts(array.shape, input_shape):
                raise NetworkError(
                    f"Normalize.{name} of shape {array.shape} does not broadcast to {input_shape}"
                )
        return input_shape

    def forward(self, x: Array) -> Array:
        y: Array = (x - self.mean) / self.scale
        return y


def _broadcasts(shape: Shape, target: Shape) -> bool:
    """Whether `shape` broadcasts to exactly `target`."""
    if len(shape) > len(target):
        return False
    tail = target[len(target) - len(shape) :]
    return all(a in (1, b) for a, b in zip(shape, tail, strict=True))


LAYERS: dict[str, type[Layer]] = {
    layer.kind: layer for layer in (Dense, Activation, Flatten, Dropout, Normalize)
}
