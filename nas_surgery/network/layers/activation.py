"""Elementwise functions."""

from typing import ClassVar

import attrs
import numpy as np

from nas_surgery.network.activations import ACTIVATIONS, Function
from nas_surgery.network.arguments import described
from nas_surgery.network.arrays import Array, Shape
from nas_surgery.network.channels import Channels, Outputs, Passes
from nas_surgery.network.errors import NetworkError
from nas_surgery.network.layers.base import Layer
from nas_surgery.network.roundoff import unit_roundoff

SLOPE = 1.8  # none is steeper: selu has 1.758 below zero
FUNCTION = 16  # units roundoff of 1 + |x| that one may be off by, approximated as libraries do


@attrs.frozen
class Activation(Layer):
    """An elementwise function by name; see `ACTIVATIONS` for the names and their algebra."""

    kind: ClassVar[str] = "activation"
    channels: ClassVar[Channels] = Channels(Outputs.SAME)

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

    @property
    def elementwise(self) -> Function:
        return self.definition

    def output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def forward(self, x: Array) -> Array:
        return self.definition.value(x)

    def backward(self, x: Array, y: Array, gradient: Array) -> Array:
        slope: Array = gradient * self.definition.derivative(x, y)
        return slope

    def error_behind(self, x: Array, errors: Array, unit: float) -> Array:
        """Activations may be computed in float32 whatever the unit."""
        if self.function == "linear":
            return errors
        coarse = max(unit, unit_roundoff(np.float32))
        return SLOPE * errors + FUNCTION * coarse * (1 + np.abs(x) + errors)

    def describe(self) -> str:
        return f"{super().describe()} {self.function}"
