"""Elementwise functions."""

from typing import Any, ClassVar

import attrs
import numpy as np

from nas_surgery.network.activations import ACTIVATIONS, Function
from nas_surgery.network.arguments import described
from nas_surgery.network.arrays import Array, Shape
from nas_surgery.network.channels import Channels, Outputs, Passes
from nas_surgery.network.errors import NetworkError
from nas_surgery.network.functions import DEFAULT_ALPHA, FUNCTIONS, PARAMETERS, function
from nas_surgery.network.layers.base import Layer
from nas_surgery.network.layers.fields import finite, settled
from nas_surgery.network.roundoff import unit_roundoff

SLOPE = 1.8  # none is steeper without parameters: selu has 1.758 below zero
STEEPEST = {
    "sigmoid": 0.25,
    "tanh": 1.0,
    "softplus": 1.0,
    "gelu": 1.13,
    "gelu_tanh": 1.13,
    "silu": 1.1,
}
BENT = ("relu", "relu6", "clip")  # they never fall, and nothing is rounded
ROUNDINGS = 16  # units roundoff of 1 + |x| that one may be off by, approximated as libraries do


def _number(value: Any) -> Any:
    return float(value) if isinstance(value, np.integer | np.floating) else value


@attrs.frozen
class Activation(Layer):
    """An elementwise function by name; see `ACTIVATIONS` and `FUNCTIONS` for the names and their algebra.

    alpha: of leaky_relu the slope below zero, of elu and celu what they reach; None for what is usual
    (.01, 1, 1). low, high: the bounds of clip, one of which may be None.
    """

    kind: ClassVar[str] = "activation"
    channels: ClassVar[Channels] = Channels(Outputs.SAME)

    function: str = "linear"
    alpha: float | None = attrs.field(default=None, converter=_number)
    low: float | None = attrs.field(default=None, converter=_number)
    high: float | None = attrs.field(default=None, converter=_number)

    def __attrs_post_init__(self) -> None:
        if not isinstance(self.function, str) or self.function not in FUNCTIONS:
            known, given = ", ".join(FUNCTIONS), described(self.function)
            raise NetworkError(f"Activation.function {given} is not one of {known}")
        for name, value in self._parameters().items():
            settled(self, **{name: self._checked(name, value)})
        if self.function == "clip" and not self._parameters():
            raise NetworkError("Activation.low or Activation.high is needed by clip, got neither")
        if self.function == "celu" and self.alpha is not None and self.alpha <= 0:
            raise NetworkError(f"Activation.alpha of celu must be > 0, got {self.alpha}")
        if self.low is not None and self.high is not None and self.low > self.high:
            raise NetworkError(f"Activation.low {self.low} is above Activation.high {self.high}")

    @property
    def definition(self) -> Function:
        return function(self.function, self.alpha, self.low, self.high)

    @property
    def slope(self) -> float:
        """`alpha`, or what is usual for the function."""
        return DEFAULT_ALPHA[self.function] if self.alpha is None else self.alpha

    @property
    def needs(self) -> str:
        usual = self.function in ACTIVATIONS and not self._parameters()
        return self.kind if usual else f"{self.kind} {self.function}"

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
        if self.function in BENT:
            y = self.forward(x)
            bend: Array = np.maximum(self.forward(x + errors) - y, y - self.forward(x - errors))
            return bend
        coarse = max(unit, unit_roundoff(np.float32))
        if self.function == "exponential":  # of which no slope is the steepest
            top = self.forward(x + errors)
            relative: Array = -np.expm1(-errors) + ROUNDINGS * coarse * (1 + np.abs(x) + errors)
            return top * relative
        sizes = [abs(value) for value in self._parameters().values()]
        steepest = max(STEEPEST.get(self.function, SLOPE), *sizes, 0)
        lost = ROUNDINGS * coarse * (1 + sum(sizes) + np.abs(x) + errors)
        bound: Array = steepest * errors + max(1, steepest) * lost
        return bound

    def describe(self) -> str:
        values = ", ".join(f"{value:g}" for value in self._parameters().values())
        return f"{super().describe()} {self.function}{f'({values})' if values else ''}"

    def _parameters(self) -> dict[str, float]:
        """Those that are given, by name."""
        values = {"alpha": self.alpha, "low": self.low, "high": self.high}
        return {name: value for name, value in values.items() if value is not None}

    def _checked(self, name: str, value: Any) -> float:
        if name not in PARAMETERS.get(self.function, ()):
            raise NetworkError(f"Activation.{name} is none of {self.function}'s parameters")
        return finite(f"Activation.{name}", value)
