"""Squares of positions as channels, and back."""

from typing import ClassVar

import attrs

from nas_surgery.network.arguments import described
from nas_surgery.network.arrays import Array, Shape
from nas_surgery.network.channels import Channels, Outputs, Passes
from nas_surgery.network.errors import NetworkError
from nas_surgery.network.layers.base import Layer
from nas_surgery.network.layers.fields import settled, whole

POSITIONS_OUTER, CHANNELS_OUTER = ORDERS = ("positions_outer", "channels_outer")


class _Moves(Layer):
    """Moves values between two position axes and the channels.

    Of the many channels, those of one position in its square stand together ("positions_outer", as
    TensorFlow has it), or those of one of the few channels ("channels_outer", as torch does).
    """

    block: int
    order: str

    def __attrs_post_init__(self) -> None:
        name = type(self).__name__
        if self.order not in ORDERS:
            raise NetworkError(
                f"{name}.order must be one of {', '.join(ORDERS)}, got {described(self.order)}"
            )
        settled(self, block=whole(f"{name}.block", self.block))

    def error_behind(self, x: Array, errors: Array, unit: float) -> Array:
        return self.forward(errors)

    def describe(self) -> str:
        return f"{super().describe()} {self.block}"

    def _refuse(self, rule: str, input_shape: Shape) -> NetworkError:
        return NetworkError(
            f"{type(self).__name__}.block {self.block} needs {rule}, got inputs of shape"
            f" {input_shape}"
        )


@attrs.frozen
class SpaceToDepth(_Moves):
    """Squares of block × block positions of (H, W, C) as (H / block, W / block, block² · C)."""

    kind: ClassVar[str] = "space_to_depth"

    block: int
    order: str = POSITIONS_OUTER

    @property
    def channels(self) -> Channels:  # type: ignore[override]
        return Channels(Outputs.TILE if self.order == POSITIONS_OUTER else Outputs.FROZEN)

    @property
    def passes(self) -> Passes:
        return Passes.ANY if self.order == POSITIONS_OUTER else Passes.NOTHING

    def output_shape(self, input_shape: Shape) -> Shape:
        if len(input_shape) != 3 or input_shape[0] % self.block or input_shape[1] % self.block:
            raise self._refuse("two position axes that it divides, and channels", input_shape)
        height, width, channels = input_shape
        return height // self.block, width // self.block, channels * self.block**2

    def forward(self, x: Array) -> Array:
        n, height, width, channels = x.shape
        b = self.block
        squares = x.reshape(n, height // b, b, width // b, b, channels)
        inner = (2, 4, 5) if self.order == POSITIONS_OUTER else (5, 2, 4)
        return squares.transpose(0, 1, 3, *inner).reshape(
            n, height // b, width // b, channels * b**2
        )


@attrs.frozen
class DepthToSpace(_Moves):
    """Channels of (H, W, block² · C) as squares of positions, (block · H, block · W, C)."""

    kind: ClassVar[str] = "depth_to_space"

    block: int
    order: str = POSITIONS_OUTER

    def output_shape(self, input_shape: Shape) -> Shape:
        if len(input_shape) != 3 or input_shape[2] % self.block**2:
            raise self._refuse(
                f"two position axes and a multiple of {self.block**2} channels", input_shape
            )
        height, width, channels = input_shape
        return height * self.block, width * self.block, channels // self.block**2

    def forward(self, x: Array) -> Array:
        n, height, width, channels = x.shape
        b = self.block
        few = channels // b**2
        if self.order == POSITIONS_OUTER:
            squares = x.reshape(n, height, width, b, b, few).transpose(0, 1, 3, 2, 4, 5)
        else:
            squares = x.reshape(n, height, width, few, b, b).transpose(0, 1, 4, 2, 5, 3)
        return squares.reshape(n, height * b, width * b, few)
