"""Elementwise functions."""

from typing import ClassVar

import attrs

from nas_surgery.network.activations import ACTIVATIONS, Function
from nas_surgery.network.arguments import described
from nas_surgery.network.arrays import Array, Shape
from nas_surgery.network.errors import NetworkError
from nas_surgery.network.layers.base import Layer, Passes


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
