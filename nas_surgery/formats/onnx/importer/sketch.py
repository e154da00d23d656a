"""A network that grows while a file is read: layers, what they read, and the shapes behind them."""

from collections import Counter

import attrs

from nas_surgery.formats.onnx.importer.outside import Outside
from nas_surgery.formats.onnx.importer.views import View, channels_first, standing
from nas_surgery.network import Layer, Network, NetworkError, Shape
from nas_surgery.network.wires import INPUT


class Sketch:
    """Layers are added and never taken away; `network` leaves out those that the output does not need.

    batch: the number that stands for it in shapes, which no other size is a multiple of. fixed: the one that
    the file was made for, if it is.
    """

    def __init__(self, batch: int, fixed: int | None, input_shape: Shape) -> None:
        self.batch, self.fixed = batch, fixed
        self.input_shape = input_shape
        self.layers: list[Layer] = []
        self.sources: list[tuple[int, ...]] = []
        self._shapes = [(batch, *input_shape)]
        self._reads: Counter[int] = Counter()

    def shape(self, source: int) -> Shape:
        """What a layer gives, the batch first."""
        return self._shapes[source + 1]

    def layer(self, source: int) -> Layer | None:
        """The layer itself; None for the input."""
        return self.layers[source] if source != INPUT else None

    def add(self, layer: Layer, *sources: int) -> int:
        """The address of a new layer; Outside where it does not fit what it reads."""
        try:
            shape = layer.output_shape(*(self.shape(source)[1:] for source in sources))
        except NetworkError as error:
            raise Outside(str(error)) from None
        self.layers.append(layer)
        self.sources.append(sources)
        self._shapes.append((self.batch, *shape))
        self._reads.update(sources)
        return len(self.layers) - 1

    def replace(self, address: int, layer: Layer) -> None:
        """Put a layer of the same shapes in the place of one that nobody reads yet."""
        assert not self.is_read(address)
        self.layers[address] = layer

    def is_read(self, address: int) -> bool:
        return self._reads[address] > 0

    def on(self, view: View, layer: Layer) -> View:
        """The same arrangement behind a layer that changes no size but that of channels that stand whole."""
        address = self.add(layer, view.source)
        shape = self.shape(address)
        if shape == view.shape:
            return attrs.evolve(view, source=address)
        new = standing(address, shape).channels
        axes = tuple(new if axis == view.channels else axis for axis in view.axes)
        return View(address, shape, axes)

    def standing(self, address: int) -> View:
        return standing(address, self.shape(address))

    def channels_first(self, address: int) -> View:
        return channels_first(address, self.shape(address))

    def needed(self, output: int) -> list[int]:
        """The addresses that an output depends on, in their order."""
        found, waiting = set(), [output]
        while waiting:
            address = waiting.pop()
            if address != INPUT and address not in found:
                found.add(address)
                waiting.extend(self.sources[address])
        return sorted(found)

    def network(self, output: int, dtype: type) -> Network:
        """The layers that an output needs, with arrays of one dtype."""
        needed = self.needed(output)
        place = {INPUT: INPUT} | {address: i for i, address in enumerate(needed)}
        wires = {
            place[address]: tuple(place[source] for source in self.sources[address])
            for address in needed
        }
        layers = [_cast(self.layers[address], dtype) for address in needed]
        return Network(self.input_shape, layers, wires)


def _cast(layer: Layer, dtype: type) -> Layer:
    arrays = layer.arrays()
    if all(array.dtype == dtype for array in arrays.values()):
        return layer
    return attrs.evolve(layer, **{k: v.astype(dtype) for k, v in arrays.items()})  # type: ignore[misc]
