"""Models of any kind: opened as a network, and closed again as what they were."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import numpy as np

from nas_surgery.errors import ArgumentError, DataError
from nas_surgery.formats.models import load_model, save
from nas_surgery.formats.onnx.interface import Interface
from nas_surgery.network import Array, Network
from nas_surgery.plugins.natives import opened_native
from nas_surgery.training.native_model import channels_last

Arrange = Callable[[Any], Array]


@attrs.frozen(eq=False)
class Model:
    """network: what the model computes. arrange: its samples as the network takes them. path: of the
    file that it was read from. close: a network as a model of the same kind."""

    network: Network
    arrange: Arrange
    path: Path | None
    close: Callable[[Network, Path | None], Any]

    def closed(self, network: Network, out: Path | None) -> Any:
        """A model of the same kind that computes what the network does; its path, where it is a file."""
        return self.close(network, out)


def opened(model: Any, data: Any = None) -> Model:
    """A Network, the path of a file, or a framework's model; ArgumentError for anything else.

    data: samples that tell the shape of one, where a framework's model does not.
    """
    if isinstance(model, Network):
        return Model(model, _as_they_are(model), None, lambda network, out: _written(network, out))
    if isinstance(model, str | Path):
        return _file(Path(model))
    native = opened_native(model, data)
    if native is None:
        raise ArgumentError(
            "model: a Network, a path, or a model of torch or Keras is needed,"
            f" got {type(model).__name__}"
        )
    return Model(
        native.network,
        lambda x: native.arrange(np.asarray(x)),
        None,
        lambda smaller, out: native.close(smaller),
    )


def _written(network: Network, out: Path | None) -> Network:
    if out is not None:
        save(network, out)
    return network


def _file(path: Path) -> Model:
    read = load_model(path)

    def close(network: Network, out: Path | None) -> Path:
        assert out is not None
        save(network, out, interface=read.interface)
        return out

    arrange = _as_they_are(read.network) if read.interface is None else _as_the_file(read.interface)
    return Model(read.network, arrange, path, close)


def _as_the_file(interface: Interface) -> Arrange:
    """Samples as a file takes them, or with channels last; DataError for others."""
    axes = [axis for axis in interface.layout if axis >= 0]
    sizes = tuple((interface.input.sizes or ())[1:])
    last = tuple(sizes[axis] for axis in axes)

    def arrange(x: Any) -> Array:
        if x.shape[1:] == sizes:
            return interface.arrange(x)
        if x.shape[1:] == last:
            return np.asarray(x[..., None] if -1 in interface.layout else x)
        raise DataError(f"samples of shape {sizes} are needed, got {x.shape[1:]}")

    return arrange


def _as_they_are(network: Network) -> Arrange:
    return lambda x: channels_last(np.asarray(x), network.input_shape)
