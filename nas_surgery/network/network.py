"""`Network`: the topology IR. `Network.forward` in NumPy defines what a network means."""

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from itertools import pairwise
from math import prod
from numbers import Real
from typing import Any

import attrs
import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from nas_surgery.network.arguments import (
    as_items,
    as_numbers,
    described,
    expect,
    expect_seed,
)
from nas_surgery.network.arrays import FLOATS, Array, Label, Shape
from nas_surgery.network.atoms import Atoms, channel_atoms, channel_groups
from nas_surgery.network.errors import NetworkError
from nas_surgery.network.groups import Group, chain_groups, in_one_line
from nas_surgery.network.initializers import INITIALIZERS
from nas_surgery.network.keyed import keyed_generator
from nas_surgery.network.layers import Activation, Dense, Dropout, Flatten, Layer
from nas_surgery.network.prediction import answers, batch_by_batch, checked_samples
from nas_surgery.network.rules import (
    check_outputs,
    check_parts,
    frozen_prefix,
    infer_shapes,
    vector_size,
)
from nas_surgery.network.summary import as_text, summary_rows
from nas_surgery.network.wires import Wires, cut, moved, walk


def _shape(value: Any) -> Shape:
    if isinstance(value, int | np.integer):
        return (int(value),)
    try:
        items = tuple(value)
    except TypeError:
        raise NetworkError(
            f"input_shape must hold positive whole numbers, got {described(value)}"
        ) from None
    return tuple(int(i) if isinstance(i, np.integer) else i for i in items)


def _layers(value: Iterable[Layer]) -> tuple[Layer, ...]:
    return as_items("layers", value, "a list of layers")


def _wires(value: Any) -> Wires:
    return value if isinstance(value, Wires) else Wires(value)


def _labels(value: Iterable[Label] | None) -> tuple[Label, ...] | None:
    if value is None:
        return None
    return tuple(label.item() if isinstance(label, np.generic) else label for label in value)


@attrs.frozen(eq=False)
class Network:
    """An immutable list of layers, each of which reads the one before it unless wires name its sources.

    input_shape: shape of one sample, without the batch axis. layers: see `nas_surgery.network.layers`.
    wires: {address: sources}, addresses of layers that stand before, or -1 for the input; empty for chains.
    classes: the labels that its outputs tell apart, of one kind; None where outputs are values.
    Raises NetworkError if the layers do not fit each other, or the classes the outputs.
    """

    input_shape: Shape = attrs.field(converter=_shape)
    layers: tuple[Layer, ...] = attrs.field(converter=_layers)
    wires: Wires = attrs.field(factory=Wires, converter=_wires)
    classes: tuple[Label, ...] | None = attrs.field(default=None, kw_only=True, converter=_labels)

    def __attrs_post_init__(self) -> None:
        check_parts(self.input_shape, self.layers, self.wires)
        check_outputs(self.output_shape, self.classes)

    @classmethod
    def dense(
        cls,
        input_shape: int | Sequence[int],
        hidden: int | Sequence[int] = (10,),
        outputs: int = 10,
        activation: str = "relu",
        *,
        seed: int = 0,
        initializer: str = "glorot_uniform",
        preprocessing: Iterable[Layer] = (),
        dropout: float = 0.0,
        dtype: DTypeLike = np.float32,
    ) -> "Network":
        """A multilayer perceptron: `hidden` layers (one, if it is a number) with `activation`, then
        `outputs` logits.

        Biases start at zero; kernels come from `initializer` with a draw keyed by `seed` and layer.
        """
        expect("initializer", initializer, str, "a name")
        expect("dropout", dropout, Real, "a number")
        expect_seed(seed)
        if initializer not in INITIALIZERS:
            known = ", ".join(INITIALIZERS)
            raise NetworkError(f"initializer {initializer!r} is not one of {known}")
        shape, dtype = _shape(input_shape), _float(dtype)
        layers = [_cast(layer, dtype) for layer in _prefix(preprocessing)]
        if len(shape) > 1:
            layers.append(Flatten())
        _check_sizes(shape)
        widths = _sizes(hidden)
        sizes = [prod(shape), *widths, outputs]
        _check_sizes(sizes)
        for i, (fan_in, units) in enumerate(pairwise(sizes)):
            kernel = INITIALIZERS[initializer](keyed_generator(seed, "init", i), fan_in, units)
            layers.append(Dense(kernel.astype(dtype), np.zeros(units, dtype)))
            if i < len(widths):
                layers.append(Activation(activation))
                layers.extend([Dropout(dropout)] if dropout else [])
        return cls(shape, layers).astype(dtype)

    @cached_property
    def sources(self) -> tuple[tuple[int, ...], ...]:
        """What each layer reads: addresses of layers, or -1 for the input."""
        return self.wires.all(len(self.layers))

    @cached_property
    def shapes(self) -> tuple[Shape, ...]:
        """Shape of one sample at the input, and behind every layer."""
        return infer_shapes(self.input_shape, self.layers, self.sources)

    def shapes_before(self, address: int) -> tuple[Shape, ...]:
        """Shapes of one sample from each source of a layer."""
        return tuple(self.shapes[source + 1] for source in self.sources[address])

    @property
    def output_shape(self) -> Shape:
        return self.shapes[-1]

    @property
    def output_count(self) -> int:
        """How many outputs a sample has, as a loss needs them; NetworkError where they are no vector."""
        return vector_size(self.output_shape)

    @cached_property
    def dtype(self) -> np.dtype[Any]:
        """float32 or float64, the same for every array."""
        arrays = (array for layer in self.layers for array in layer.arrays().values())
        return next((array.dtype for array in arrays), FLOATS[0])

    @cached_property
    def parameter_count(self) -> int:
        """Number of trainable weights."""
        return sum(a.size for layer in self.layers for a in layer.parameters().values())

    @cached_property
    def macs(self) -> int:
        """Multiply-accumulates of the linear layers for one sample, forwards."""
        return sum(layer.macs(*self.shapes_before(i)) for i, layer in enumerate(self.layers))

    @property
    def hidden(self) -> tuple[int, ...]:
        """Widths of the hidden linear layers."""
        return tuple(group.size for group in self.groups())

    @property
    def prefix(self) -> int:
        """Number of leading layers without trainable weights; their output never changes."""
        return frozen_prefix(self.layers, self.wires)

    def groups(self) -> tuple[Group, ...]:
        """The channel groups that surgery may change, from the input to the output."""
        return self._groups

    @cached_property
    def _groups(self) -> tuple[Group, ...]:
        if not self.wires and in_one_line(self.layers):
            return chain_groups(self.layers, self.shapes)
        return channel_groups(self.layers, self.sources, self.atoms)

    @cached_property
    def atoms(self) -> Atoms:
        """What is tied to what, channel by channel."""
        return channel_atoms(self.layers, self.shapes, self.sources)

    def forward(self, x: ArrayLike, start: int = 0, stop: int | None = None) -> Array:
        """Outputs (N, *output_shape) of a batch `x` of shape (N, *input_shape).

        With `start` or `stop`, only those layers run: `x` is then what the layer before `start` gives,
        and the result what the one before `stop` does. Raises NetworkError if the shape of a sample is
        not the one expected there, or if layers behind `start` read others than those.
        """
        values = as_numbers("inputs", x)
        if values.ndim == 0 or values.shape[1:] != self.shapes[start]:
            raise NetworkError(
                f"inputs of shape (N, {', '.join(map(str, self.shapes[start]))}) are expected,"
                f" got {values.shape}"
            )
        values = values.astype(self.dtype, copy=False)
        layers = self.layers[start:stop]
        if self.wires:
            wires = cut(self.sources[start:stop], start)
            return walk(wires, values, lambda address, *xs: layers[address].forward(*xs))
        for layer in layers:
            values = layer.forward(values)
        return values

    def predict(self, x: Any) -> Array:
        """What the network says of samples `x` (N, *input_shape): an array, a frame or lists.

        With `classes` their labels (N,), in the kind they came in; else the outputs
        (N, *output_shape), or (N,) where there is one. Raises DataError, with row and column, for what it cannot take.
        """
        return answers(self.outputs(x), self.classes)

    def outputs(self, x: Any) -> Array:
        """Outputs (N, *output_shape) of samples as `predict` takes them, in batches of bounded memory."""
        samples = checked_samples(x, self.input_shape)
        return batch_by_batch(self.forward, samples, self.shapes, self.dtype)

    def replace(self, changes: Mapping[int, Sequence[Layer]]) -> "Network":
        """The network with each addressed layer replaced by a sequence of layers; the rest is shared.

        The first of a sequence reads what the layer read, and whoever read the layer reads the last.
        """
        parts = [changes.get(address, (layer,)) for address, layer in enumerate(self.layers)]
        wires = moved(self.sources, [len(part) for part in parts]) if self.wires else self.wires
        return attrs.evolve(self, layers=[layer for part in parts for layer in part], wires=wires)

    def parameters(self) -> dict[str, Array]:
        """The trainable arrays by name, such as "layers.2.kernel"."""
        return {
            array_name(address, field): array
            for address, layer in enumerate(self.layers)
            for field, array in layer.parameters().items()
        }

    def statistics(self) -> dict[str, Array]:
        """The arrays that training measures, by name, such as "layers.3.mean"."""
        return {
            array_name(address, field): array
            for address, layer in enumerate(self.layers)
            for field, array in layer.arrays().items()
            if field in layer.statistics
        }

    def with_parameters(self, values: Mapping[str, Array]) -> "Network":
        """The same structure with new arrays, named as in `parameters` or `statistics`; the rest is shared."""
        changes: dict[int, dict[str, Array]] = {}
        for name, array in values.items():
            _, address, field = name.split(".")
            changes.setdefault(int(address), {})[field] = array
        layers = list(self.layers)
        for index, fields in changes.items():
            layers[index] = attrs.evolve(layers[index], **fields)  # type: ignore[misc]
        return attrs.evolve(self, layers=layers)

    def astype(self, dtype: DTypeLike) -> "Network":
        """The same network with float32 or float64 arrays."""
        wanted = _float(dtype)
        if self.dtype == wanted:
            return self
        return attrs.evolve(self, layers=[_cast(layer, wanted) for layer in self.layers])

    def equals(self, other: "Network") -> bool:
        """Whether both have the same structure and bit-identical arrays, whatever classes are called."""
        return (
            self.input_shape == other.input_shape
            and self.wires == other.wires
            and len(self.layers) == len(other.layers)
            and all(_same(a, b) for a, b in zip(self.layers, other.layers, strict=True))
        )

    def summary(self) -> str:
        """A table of addresses, layers, shapes, parameters and multiply-accumulates."""
        return as_text(summary_rows(self.layers, self.wires, self.shapes, self.dtype))

    def _repr_html_(self) -> str:
        """The same as HTML, which notebooks show."""
        from nas_surgery.network.html import as_html

        rows = summary_rows(self.layers, self.wires, self.shapes, self.dtype)
        return as_html(rows, repr(self).strip("<>"))

    def __repr__(self) -> str:
        inputs = "×".join(map(str, self.input_shape))
        widths = "-".join(map(str, (inputs, *self.hidden, *self.output_shape)))
        joins = sum(layer.several for layer in self.layers)
        forked = f"{joins} join{'s' if joins > 1 else ''}, " if joins else ""
        return f"<Network {widths}, {forked}{self.parameter_count:,} parameters, {self.dtype}>"


def array_name(address: int, field: str) -> str:
    """Name of a layer's array, in memory and in every file format."""
    return f"layers.{address}.{field}"


def _prefix(value: Any) -> tuple[Layer, ...]:
    layers = as_items("preprocessing", value, "a list of layers")
    for layer in layers:
        expect("each of preprocessing", layer, Layer, "a layer")
    return layers


def _sizes(value: Any) -> tuple[int, ...]:
    """Widths of hidden layers; a number is one of them."""
    if isinstance(value, int | np.integer) and not isinstance(value, bool):
        return (int(value),)
    return as_items("hidden", value, "a whole number or a list of them")


def _float(dtype: DTypeLike) -> "np.dtype[Any]":
    """float32 or float64; NetworkError for anything else."""
    try:
        wanted = np.dtype(dtype)
    except (TypeError, ValueError):
        raise NetworkError(f"a network is float32 or float64, not {described(dtype)}") from None
    if wanted not in FLOATS:
        raise NetworkError(f"a network is float32 or float64, not {wanted}")
    return wanted


def _check_sizes(sizes: Sequence[int]) -> None:
    for size in sizes:
        if isinstance(size, bool) or not isinstance(size, int | np.integer) or size < 1:
            raise NetworkError(f"layer sizes must be positive whole numbers, got {described(size)}")


def _cast(layer: Layer, dtype: DTypeLike) -> Layer:
    arrays = {name: array.astype(dtype) for name, array in layer.arrays().items()}
    return attrs.evolve(layer, **arrays) if arrays else layer  # type: ignore[misc]


def _same(a: Layer, b: Layer) -> bool:
    if a is b:
        return True
    left, right = a.arrays(), b.arrays()
    return (
        type(a) is type(b)
        and a.config() == b.config()
        and left.keys() == right.keys()
        and all(
            left[k].dtype == right[k].dtype
            and left[k].shape == right[k].shape
            and left[k].tobytes() == right[k].tobytes()
            for k in left
        )
    )
