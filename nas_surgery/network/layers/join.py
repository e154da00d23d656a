"""What layers with several sources have in common."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar

from nas_surgery.network.arrays import Array, Shape
from nas_surgery.network.channels import Passes
from nas_surgery.network.errors import NetworkError
from nas_surgery.network.layers.base import Layer


class Join(Layer):
    """A layer that reads two sources or more, whose values it is given one after the other.

    It has no weights, and any change of channels passes that is made to all that it concerns.
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
