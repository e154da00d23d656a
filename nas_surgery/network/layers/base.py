"""What every layer can say about itself."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, cast

import attrs
import numpy as np

from nas_surgery.network.activations import Function
from nas_surgery.network.arrays import Array, Shape
from nas_surgery.network.channels import Channels, Outputs, Passes
from nas_surgery.network.errors import NetworkError


class Layer(ABC):
    """What every layer can say about itself. Nobody else asks for a layer's class.

    kind: its name on disk and in tables. trainable: fields of arrays that training changes by gradients;
    statistics: those that it measures. channels: where its channels are; surgery leaves those alone of a
    layer that does not say. random: whether it gives something else while training. several: whether it
    joins two sources or more. leads: whether it must stand before all that training changes. pads:
    whether it puts zeros beside its inputs, so that no constant passes. blank: what fills its arrays
    where only their shapes count. neutral: what arrays hold for a channel that it leaves alone, where
    that is not zero. weighs_rows: of a linear layer, whether `rows` @ kernel is all that it does to them.
    """

    kind: ClassVar[str]
    trainable: ClassVar[tuple[str, ...]] = ()
    statistics: ClassVar[tuple[str, ...]] = ()
    channels: ClassVar[Channels] = Channels(Outputs.FROZEN)
    random: ClassVar[bool] = False
    several: ClassVar[bool] = False
    leads: ClassVar[bool] = False
    blank: ClassVar[float] = 0.0
    neutral: ClassVar[Mapping[str, float]] = {}
    weighs_rows: ClassVar[bool] = True

    @abstractmethod
    def output_shape(self, input_shape: Shape) -> Shape:
        """Shape of one sample behind the layer; NetworkError where `input_shape` does not fit."""

    @abstractmethod
    def forward(self, x: Array) -> Array:
        """Inference on a batch `x` of shape (N, *input_shape)."""

    def backward(self, x: Array, y: Array, gradient: Array) -> Array:
        """The gradient before the layer in inference from that behind it, all float64; y = forward(x).

        A layer that does not override it has a derivative that surgery does not know.
        """
        raise NotImplementedError

    def error_behind(self, x: Array, errors: Array, unit: float) -> Array:
        """Bound on the error behind a float64 layer whose inputs `x` (N, ...) are off by `errors`.

        unit: roundoff of its arithmetic. By default for a layer that only moves values.
        """
        if self.passes is not Passes.ANY:
            raise NetworkError(f"how a {type(self).__name__} rounds is not known")
        return self.forward(errors)

    def errors_behind(self, xs: Sequence[Array], errors: Sequence[Array], unit: float) -> Array:
        """The same bound from what each of the sources gives."""
        (x,), (off,) = xs, errors
        return self.error_behind(x, off, unit)

    @property
    def needs(self) -> str:
        """What a backend must know to train it, as its `layer_kinds` name it: mostly the kind."""
        return self.kind

    @property
    def blocks(self) -> int:
        """In how many blocks of equal size its channels stand, which surgery has to keep equal."""
        return 1

    @property
    def pads(self) -> bool:
        return False

    @property
    def window(self) -> Shape:
        """Positions that go into one output of a linear layer: axes of `kernel_of` behind the first."""
        return ()

    def rows(self, x: Array, picks: Array | None = None) -> Array:
        """What the kernel of a linear layer weighs in inputs `x` (N, ...), (rows, in · window).

        There is a row for each of N and of the positions of its outputs; picks: numbers of those that are
        wanted. Columns are in the order of `kernel_of`. Only of layers that say `weighs_rows`.
        """
        rows = x.reshape(-1, x.shape[-1])
        return rows if picks is None else rows[picks]

    @property
    def passes(self) -> Passes:
        """What the layer lets through between a writer and a reader."""
        return Passes.NOTHING

    @property
    def elementwise(self) -> Function | None:
        """The function that is all that it does, to each value by itself; None for other layers."""
        return None

    def macs(self, input_shape: Shape) -> int:
        """Multiply-accumulates for one sample."""
        return 0

    def with_channels(self, arrays: Mapping[str, Array], before: Shape, after: Shape) -> "Layer":
        """`resized`, for sources that had `before` and have `after` channels."""
        return self.resized(**arrays)

    def affine(self) -> tuple[Array, Array] | None:
        """f and o, (C,) float64, if x · f + o channel by channel is all that it does in inference; or None."""
        return None

    def followed(self, factor: Array, offset: Array) -> "Layer | None":
        """The layer with what it puts out · factor (C,) + offset (C,); None where it cannot hold that."""
        return None

    def identity(self, shape: Shape, dtype: "np.dtype[Any]") -> "Layer | None":
        """A layer of its kind that gives back inputs of that shape, with a bias; None where there is none."""
        return None

    def mixing(self, kernel: Array, bias: Array | None) -> "Layer | None":
        """One of its kind that weighs what it puts out by kernel (channels, out), at each position, or None."""
        return None

    def measured(self, x: Array) -> dict[str, Array]:
        """Its `statistics` as a batch of inputs `x` (N, *input_shape) has them, by field."""
        return {}

    def usual_inputs(self, x: Array) -> Array:
        """Inputs such as it expects, made of values (N, ...) about 0."""
        return x

    def describe(self) -> str:
        """The layer in a word or two, for tables."""
        return type(self).__name__

    @classmethod
    def array_fields(cls) -> frozenset[str]:
        """Names of the fields that hold arrays, of which some may be None."""
        types = (Array, Array | None)
        return frozenset(f.name for f in attrs.fields(cast(Any, cls)) if f.type in types)

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

    def resized(self, **arrays: Array) -> "Layer":
        """The layer with other arrays, and with settings that go with their sizes."""
        return attrs.evolve(self, **arrays)  # type: ignore[misc]

    def _fields(self) -> dict[str, Any]:
        """Field values by name; every layer is an attrs class."""
        return attrs.asdict(cast(attrs.AttrsInstance, self), recurse=False)
