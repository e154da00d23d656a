"""Keras's Sequential and functional models as networks, layer by layer."""

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any

import keras
import numpy as np

from nas_surgery.errors import BackendError, NasSurgeryError
from nas_surgery.network import Array, Layer, Network, Shape
from nas_surgery.network.roundoff import unit_roundoff
from nas_surgery.network.wires import INPUT
from nas_surgery.training.native_reading import Part, Run, compare_graph
from nas_surgery_tensorflow.devices import on
from nas_surgery_tensorflow.native import (
    elementwise,
    joins,
    linear,
    norms,
    pools,
    positions,
    recurrent,
)
from nas_surgery_tensorflow.native.attention import read_attention
from nas_surgery_tensorflow.native.settings import named

HALF_PRECISION = {
    "float16": 2.0**-11,
    "bfloat16": 2.0**-8,
}  # units roundoff of policies' arithmetic

READ = {
    **linear.READ,
    **norms.READ,
    **pools.READ,
    **positions.READ,
    **recurrent.READ,
    **elementwise.READ,
}
"""Exact types: a class derived from one of them may compute anything."""

OPERATIONS = {"Add": keras.layers.Add, "Multiply": keras.layers.Multiply}
"""What `x + y` and `x * y` are read as."""

ATTENTION = keras.layers.MultiHeadAttention


def from_native(model: Any, input_shape: int | Shape) -> Network:
    """The network that a Keras layer, a Sequential or a functional model computes in inference.

    Layers may be called more than once. Everything is compared once with the model's own outputs. Raises
    BackendError for a layer that the IR does not hold, and where the model computes anything else.
    """
    shape = (input_shape,) if isinstance(input_shape, int) else tuple(input_shape)
    build(model, shape)
    with on("cpu"):
        reader = Reader(shape)
        reader.read(model, [INPUT], {})
        network = Network(shape, reader.layers, reader.wires)
        compare_graph(network, reader.parts, runner(model), f"model {model.name!r}")
    return network


class Reader:
    """The layers of a model in their order, with what each reads."""

    def __init__(self, shape: Shape) -> None:
        self.layers: list[Layer] = []
        self.wires: dict[int, tuple[int, ...]] = {}
        self.parts: list[tuple[Shape, Part]] = []
        self._shapes = {INPUT: shape}

    def read(self, operation: Any, sources: Sequence[int], settings: dict[str, Any]) -> int:
        """Append what an operation is here; the address of its outputs. settings: of its call."""
        if isinstance(operation, keras.Sequential):
            address = sources[0]
            for layer in operation.layers:
                address = self.read(layer, [address], {})
            return address
        if isinstance(operation, keras.Model):
            return self._read_graph(operation, sources)
        if type(operation) is ATTENTION:
            return self._read_attention(operation, sources, settings)
        return self._read_layer(operation, sources)

    def _read_graph(self, model: Any, sources: Sequence[int]) -> int:
        known = {id(tensor): source for tensor, source in zip(model.inputs, sources, strict=True)}
        for node in nodes(model):
            held = [known[id(tensor)] for tensor in node.input_tensors]
            if len(node.output_tensors) != 1:
                raise BackendError(f"{named(node.operation)}: gives several tensors")
            (output,) = node.output_tensors
            known[id(output)] = self.read(node.operation, held, node.arguments.kwargs)
        if len(model.outputs) != 1:
            raise BackendError(f"model {model.name!r}: gives {len(model.outputs)} outputs, not one")
        return known[id(model.outputs[0])]

    def _read_layer(self, native: Any, sources: Sequence[int]) -> int:
        shapes = tuple(self._shapes[source] for source in sources)
        try:
            layers = layers_of(native, shapes)
        except NasSurgeryError as error:
            named_already = str(error).startswith(named(native))
            raise BackendError(
                str(error) if named_already else f"{named(native)}: {error}"
            ) from None
        if not layers:
            return sources[0]
        if len(sources) == 1:
            self.parts.append((shapes[0], part(native, layers)))
        return self._append(native, layers, sources)

    def _read_attention(self, native: Any, sources: Sequence[int], settings: dict[str, Any]) -> int:
        """Keys are the values where they are not given."""
        before, attend, behind = read_attention(native, settings)
        query, value, *key = sources
        places = (query, *(key or [value]), value)
        three = [
            self._append(native, [layer], [source])
            for layer, source in zip(before, places, strict=True)
        ]
        return self._append(native, [attend, behind], three)

    def _append(self, native: Any, layers: Sequence[Layer], sources: Sequence[int]) -> int:
        for layer in layers:
            address = len(self.layers)
            shapes = [self._shapes[source] for source in sources]
            try:
                self._shapes[address] = layer.output_shape(*shapes)
            except NasSurgeryError as error:
                raise BackendError(f"{named(native)}: {error}") from None
            self.layers.append(layer)
            self.wires[address] = tuple(sources)
            sources = [address]
        return address


def layers_of(native: Any, shapes: Sequence[Shape]) -> list[Layer]:
    """What one Keras layer is here: mostly one layer, two for a Dense with an activation."""
    kind = OPERATIONS.get(type(native).__name__, type(native))
    if len(shapes) > 1:
        if kind in joins.READ:
            return joins.READ[kind](native, tuple(shapes))
    elif kind in READ:
        return [*READ[kind](native, shapes[0]), *_activation(native, shapes[0])]
    known = ", ".join(sorted(each.__name__ for each in (*READ, *joins.READ, ATTENTION)))
    raise BackendError(
        f"no layer for a Keras {type(native).__name__}; there are layers for {known}"
    )


def _activation(native: Any, shape: Shape) -> list[Layer]:
    """The one that a linear layer has within it."""
    if type(native) not in linear.READ or type(native) is keras.layers.Embedding:
        return []
    if native.activation is keras.activations.linear:
        return []
    return elementwise.read_activation(native, shape)


def nodes(model: Any) -> Iterator[Any]:
    """The calls of a functional model, each behind what it reads."""
    depths = sorted(model._nodes_by_depth, reverse=True)
    every = chain.from_iterable(model._nodes_by_depth[depth] for depth in depths)
    return (node for node in every if not node.is_input)


def part(native: Any, layers: Sequence[Layer]) -> Part:
    """What is compared of one layer."""
    policy = getattr(native, "compute_dtype", None) or "float32"
    unit = HALF_PRECISION.get(policy) or unit_roundoff(policy)
    return Part(named(native), tuple(layers), runner(native), unit)


def runner(native: Any) -> Run:
    """The layer or model on arrays, in inference."""

    def run(x: Array) -> Array:
        return np.asarray(keras.ops.convert_to_tensor(native(x, training=False)))

    return run


def build(model: Any, shape: Shape) -> None:
    """Raise BackendError unless the model is one that can be read, built for samples of that shape."""
    if not isinstance(model, keras.Layer):
        raise BackendError(f"a Keras model or layer is needed, got {type(model).__name__}")
    if isinstance(model, keras.Model) and not isinstance(model, keras.Sequential | keras.Function):
        raise BackendError(
            f"model {model.name!r}: a subclassed model may do anything with its layers; a Sequential"
            " or a functional model is needed"
        )
    if not model.built:
        _first_build(model, shape)
    if isinstance(model, keras.Model):
        wanted = [tuple(each.shape[1:]) for each in model.inputs]
        if not _fit(wanted, shape):
            shown = ", ".join(map(str, wanted))
            raise BackendError(f"the model takes inputs of shape {shown}, not {shape}")


def _fit(wanted: Sequence[tuple[int | None, ...]], shape: Shape) -> bool:
    """Whether there is one input, for samples of that shape; where it leaves sizes open, any fit."""
    if len(wanted) != 1 or len(wanted[0]) != len(shape):
        return False
    return all(a in (None, b) for a, b in zip(wanted[0], shape, strict=True))


def _first_build(model: keras.Layer, shape: Shape) -> None:
    try:
        model.build((None, *shape))
    except Exception as error:  # a user's layers fail in any way
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise BackendError(
            f"{named(model)}: cannot be built for inputs of shape {shape}: {reason}"
        ) from error
