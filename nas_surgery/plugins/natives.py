"""Models of frameworks where networks are taken: which backend reads them, and for which shape of samples."""

import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np

from nas_surgery.errors import ArgumentError
from nas_surgery.formats import models
from nas_surgery.network import Array, Shape
from nas_surgery.plugins.registry import default_registry
from nas_surgery.training.backend import Backend
from nas_surgery.training.native_model import NativeModel

if TYPE_CHECKING:
    from nas_surgery.formats.onnx.interface import Interface

FRAMEWORKS = {"torch": "torch", "keras": "tensorflow", "tensorflow": "tensorflow"}
PARTS = ("x", "x_train", "x_validation", "x_test")


def backend_of(model: Any) -> Backend | None:
    """The installed backend of the framework that a model's class comes from; None of any other value."""
    roots = [kind.__module__.partition(".")[0] for kind in type(model).__mro__]
    names = [FRAMEWORKS[root] for root in roots if root in FRAMEWORKS]
    if not names or not callable(model):
        return None
    with (
        warnings.catch_warnings()
    ):  # reading a model needs no framework that is set up to repeat runs
        warnings.simplefilter("ignore", RuntimeWarning)
        made: Backend = default_registry().get("backends", names[0])()
    return made


def opened_native(
    model: Any, data: Any = None, input_shape: Shape | None = None
) -> NativeModel | None:
    """A framework's model as a network and back; None of any other value.

    data: samples that tell the shape of one, where neither the model nor `input_shape` does. Raises
    ArgumentError where nothing tells it, and BackendError for a model that no network can hold.
    """
    backend = backend_of(model)
    if backend is None:
        return None
    return backend.open_native(model, input_shape or _native_shape(model, data))


def save(
    network: Any,
    path: str | Path,
    metadata: Mapping[str, Any] | None = None,
    *,
    interface: "Interface | None" = None,
    input_shape: Shape | None = None,
) -> None:
    """Write a network, or a model of a framework, as `.safetensors` or `.onnx`, by the suffix of `path`.

    metadata: JSON values to keep in an ONNX file. interface: that of the ONNX file that the network came
    from, whose names, layout and head an ONNX file then has again. input_shape: of one sample, as a
    model takes it that does not tell. Raises ModelFileError for another suffix, NetworkError for weights
    that are NaN or infinite, and BackendError for a model that no network can hold.
    """
    backend = backend_of(network)
    if backend is not None:
        network = backend.from_native(network, input_shape or _native_shape(network, None))
    models.save(network, path, metadata, interface=interface)


def network_and_data(network: Any, data: Any) -> tuple[Any, Any]:
    """A network, where a framework's model is given, with the data as it takes them; all else as it is."""
    held = opened_native(network, data)
    if held is None:
        return network, data
    return held.network, _arranged(data, lambda x: held.arrange(np.asarray(x)))


def samples_of(data: Any) -> Any:
    """The samples in what a caller gives as data, where these are arrays."""
    if isinstance(data, tuple | list) and len(data) in (2, 4) and np.ndim(data[0]) > 1:
        return data[0]
    if isinstance(data, Mapping):
        return next((data[name] for name in PARTS if name in data), None)
    if attrs.has(type(data)):
        return getattr(data, "x", None)
    return data if hasattr(data, "shape") else None


def _native_shape(model: Any, data: Any) -> Shape:
    """The shape of one sample, as the model takes it: by itself, or by the samples that are given."""
    declared = getattr(model, "input_shape", None)
    if isinstance(declared, tuple) and len(declared) > 1 and None not in declared[1:]:
        return tuple(int(size) for size in declared[1:])
    x = samples_of(data)
    if x is not None:
        return tuple(int(size) for size in np.shape(x)[1:])
    first = next((m for m in _modules(model) if hasattr(m, "in_features")), None)
    if first is not None and first is _first_leaf(model):
        return (int(first.in_features),)
    raise ArgumentError("the shape of one sample is not known: give samples, or input_shape")


def _modules(model: Any) -> list[Any]:
    return list(model.modules()) if hasattr(model, "modules") else []


def _first_leaf(model: Any) -> Any:
    return next((m for m in _modules(model) if not list(m.children())), None)


def _arranged(data: Any, arrange: Callable[[Any], Array]) -> Any:
    """Data with the samples of each part as a network takes them."""
    if isinstance(data, tuple | list) and len(data) in (2, 4):
        return tuple(arrange(part) if i % 2 == 0 else part for i, part in enumerate(data))
    if isinstance(data, Mapping):
        return {key: arrange(value) if key in PARTS else value for key, value in data.items()}
    if attrs.has(type(data)):
        names = [name for name in PARTS if getattr(data, name, None) is not None]
        return attrs.evolve(data, **{name: arrange(getattr(data, name)) for name in names})
    return data
