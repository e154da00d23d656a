"""Models of any kind: opened as a network, and closed again as what they were."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import numpy as np

from nas_surgery.errors import ArgumentError, DataError
from nas_surgery.formats.models import load_model, save
from nas_surgery.formats.onnx.interface import Interface
from nas_surgery.network import Array, Network, Shape
from nas_surgery.plugins.registry import default_registry
from nas_surgery.training.backend import Backend

FRAMEWORKS = {"torch": "torch", "keras": "tensorflow", "tensorflow": "tensorflow"}

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
    return _native(model, data)


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


def _native(model: Any, data: Any) -> Model:
    backend = backend_of(model)
    shape = native_shape(model, data)
    network = backend.from_native(model, shape)
    return Model(
        network,
        lambda x: channels_last(np.asarray(x), network.input_shape),
        None,
        lambda smaller, out: backend.to_native(smaller),
    )


def backend_of(model: Any) -> Backend:
    """The installed backend of the framework that a model's class comes from; ArgumentError if none."""
    roots = [kind.__module__.partition(".")[0] for kind in type(model).__mro__]
    names = [FRAMEWORKS[root] for root in roots if root in FRAMEWORKS]
    if not names:
        raise ArgumentError(
            "model: a Network, a path, or a model of torch or Keras is needed,"
            f" got {type(model).__name__}"
        )
    made: Backend = default_registry().get("backends", names[0])()
    return made


def native_shape(model: Any, data: Any) -> Shape:
    """The shape of one sample, as the model takes it: by itself, or by the samples that are given."""
    declared = getattr(model, "input_shape", None)
    if isinstance(declared, tuple) and len(declared) > 1 and None not in declared[1:]:
        return tuple(int(size) for size in declared[1:])
    x = samples_of(data)
    if x is None:
        raise ArgumentError("data: samples are needed, so that the shape of one is known")
    return tuple(int(size) for size in np.shape(x)[1:])


def samples_of(data: Any) -> Any:
    """The samples in what a caller gives as data, where these are arrays."""
    if isinstance(data, tuple | list) and len(data) == 2 and np.ndim(data[0]) > 1:
        return data[0]
    if isinstance(data, dict):
        return next((data[name] for name in ("x", "x_train") if name in data), None)
    return data if hasattr(data, "shape") else None


def channels_last(x: Array, shape: Shape) -> Array:
    """Samples as a network takes them; those with channels first are turned. DataError for others."""
    if x.shape[1:] == shape:
        return x
    if x.ndim > 2 and (*x.shape[2:], x.shape[1]) == shape:
        return np.moveaxis(x, 1, -1)
    raise DataError(f"samples of shape {shape} are needed, got {x.shape[1:]}")


def _as_they_are(network: Network) -> Arrange:
    return lambda x: channels_last(np.asarray(x), network.input_shape)
