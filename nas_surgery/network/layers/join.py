"""What layers with several sources have in common."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar

from nas_surgery.network.arrays import Array, Shape
from nas_surgery.network.channels import Passes
from nas_surgery.network.errors import NetworkError
from nas_surgery.network.layers.base import Layer

RULE = "sources of one shape, or with a single or no position where others have more"


class Join(Layer):
    """A layer that reads two sources or more, whose values it is given one after the other.

    Unless it says otherwise, any change of channels passes that is made to all that it concerns.
    """

    several: ClassVar[bool] = True

    @property
    def passes(self) -> Passes:
        return Passes.ANY

    @abstractmethod
    def output_shape(self, *input_shapes: Shape) -> Shape:
        """Shape of one sample behind the layer; NetworkError where the shapes do not fit each other."""

    @abstractmethod
    def forward(self, *xs: Array) -> Array:
        """Inference on batches of shapes (N, *input_shape)."""

    @abstractmethod
    def errors_behind(self, xs: Sequence[Array], errors: Sequence[Array], unit: float) -> Array: ...

    def macs(self, *input_shapes: Shape) -> int:
        return 0

    def _refuse(self, rule: str, shapes: tuple[Shape, ...]) -> NetworkError:
        got = " and ".join(map(str, shapes))
        return NetworkError(f"{type(self).__name__} needs {rule}, got inputs of shapes {got}")


class Elementwise(Join):
    """A join of values that stand at the same place.

    Sources have the same channels. One that has no positions, or a single one along some axes, stands
    beside each position of the others.
    """

    def output_shape(self, *input_shapes: Shape) -> Shape:
        rank = max(map(len, input_shapes))
        if any(len(shape) not in (1, rank) for shape in input_shapes):
            raise self._refuse(RULE, input_shapes)
        padded = (_with_rank(shape, rank) for shape in input_shapes)
        *positions, channels = zip(*padded, strict=True)
        if len({*channels}) != 1 or any(not {*n} <= {1, max(n)} for n in positions):
            raise self._refuse(RULE, input_shapes)
        return (*map(max, positions), channels[0])


def _with_rank(shape: Shape, rank: int) -> Shape:
    return (*(1,) * (rank - len(shape)), *shape)


def aligned(xs: Sequence[Array]) -> list[Array]:
    """Batches (N, *shape), with axes of length 1 for positions that some do not have."""
    rank = max(x.ndim for x in xs)
    return [x.reshape(len(x), *_with_rank(x.shape[1:], rank - 1)) for x in xs]
