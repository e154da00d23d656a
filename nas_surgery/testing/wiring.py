"""Networks written down layer by layer, with random weights such as people start from."""

import numpy as np
from numpy.typing import DTypeLike

from nas_surgery.network import (
    Activation,
    Array,
    BatchNorm,
    Conv,
    Dense,
    Layer,
    LayerNorm,
    Network,
    Shape,
    keyed_generator,
)
from nas_surgery.testing.builders import exact_in_float32


class Wiring:
    """Layers so far, their wires and the shapes behind them. A layer reads the last one if no source is named.

    Arrays are float32 values in float64. `unread`: what no layer reads yet.
    """

    def __init__(self, input_shape: int | Shape, seed: int = 0) -> None:
        self.input_shape = (input_shape,) if isinstance(input_shape, int) else tuple(input_shape)
        self.layers: list[Layer] = []
        self.wires: dict[int, tuple[int, ...]] = {}
        self.shapes: dict[int, Shape] = {-1: self.input_shape}
        self.unread = {-1}
        self.generator = keyed_generator(seed, "wiring")

    @property
    def last(self) -> int:
        """The address of the last layer; that of the input before there is one."""
        return len(self.layers) - 1

    def width(self, source: int | None = None) -> int:
        """Channels behind a layer."""
        return self.shapes[self.last if source is None else source][-1]

    def add(self, layer: Layer, *sources: int | None) -> int:
        """Append a layer; its address."""
        held = tuple(self.last if source is None else source for source in sources or (None,))
        address = len(self.layers)
        self.layers.append(layer)
        self.wires[address] = held
        self.shapes[address] = layer.output_shape(*(self.shapes[source] for source in held))
        self.unread = (self.unread - {*held}) | {address}
        return address

    def dense(self, units: int, source: int | None = None, gain: float = 2.0) -> int:
        """A Dense whose weights have the variance gain / fan-in (He et al., 2015: 2 before a ReLU)."""
        fan_in = self.width(source)
        kernel = self.normal(fan_in, units, deviation=(gain / fan_in) ** 0.5)
        return self.add(Dense(kernel, self.normal(units, deviation=0.1)), source)

    def conv(self, units: int, window: int = 3, source: int | None = None, strides: int = 1) -> int:
        """A convolution without a bias, whose windows stand on zeros at the edges."""
        size = (window,) * (len(self.shapes[self.last if source is None else source]) - 1)
        fan_in = self.width(source) * int(np.prod(size))
        kernel = self.normal(*size, self.width(source), units, deviation=(2 / fan_in) ** 0.5)
        return self.add(Conv(kernel, strides=strides, padding="same"), source)

    def depthwise(self, window: int = 3, strides: int = 1) -> int:
        """A convolution of each channel by itself."""
        kernel = self.normal(window, window, 1, self.width(), deviation=2**0.5 / window)
        return self.add(Conv(kernel, strides=strides, padding="same", groups=self.width()))

    def batch_norm(self) -> int:
        """A BatchNorm as training leaves it."""
        width = self.width()
        mean, offset = self.normal(width, deviation=0.1), self.normal(width, deviation=0.1)
        variance = 2 * self.positive(width)
        return self.add(BatchNorm(mean, variance, self.positive(width), offset))

    def layer_norm(self, source: int | None = None) -> int:
        width = self.width(source)
        return self.add(LayerNorm(self.positive(width), self.normal(width, deviation=0.1)), source)

    def activate(self, function: str = "relu") -> int:
        return self.add(Activation(function))

    def unit(
        self,
        units: int,
        window: int = 3,
        source: int | None = None,
        strides: int = 1,
        function: str = "relu",
    ) -> int:
        """A convolution, a BatchNorm and an activation."""
        self.conv(units, window, source, strides)
        self.batch_norm()
        return self.activate(function)

    def normal(self, *shape: int, deviation: float = 1.0) -> Array:
        return exact_in_float32(self.generator.normal(0, deviation, shape))

    def positive(self, *shape: int) -> Array:
        return exact_in_float32(self.generator.uniform(0.5, 1.5, shape))

    def network(self, dtype: DTypeLike = np.float64) -> Network:
        """What has been written down."""
        return Network(self.input_shape, self.layers, self.wires).astype(dtype)
