"""The validity rules of a network, in one place; they run whenever a network is constructed."""

from collections.abc import Sequence

import numpy as np

from nas_surgery.network.arrays import Label, Shape, label_array
from nas_surgery.network.channels import Outputs
from nas_surgery.network.errors import NetworkError
from nas_surgery.network.layers import Layer
from nas_surgery.network.wires import INPUT, Wires

Sources = Sequence[tuple[int, ...]]


def infer_shapes(
    input_shape: Shape, layers: tuple[Layer, ...], sources: Sources
) -> tuple[Shape, ...]:
    """Shapes of one sample at the input and behind every layer; NetworkError where one does not fit."""
    shapes = [input_shape]
    for address, layer in enumerate(layers):
        try:
            shapes.append(layer.output_shape(*(shapes[source + 1] for source in sources[address])))
        except NetworkError as error:
            raise NetworkError(f"layer {address}: {error}") from None
    return tuple(shapes)


def check_parts(input_shape: Shape, layers: tuple[Layer, ...], wires: Wires) -> None:
    """Raise NetworkError unless the layers are such, of one dtype, and in an order that is valid."""
    _check_input_shape(input_shape)
    _check_layer_types(layers)
    _check_wires(layers, wires)
    _check_one_dtype(layers)
    _check_leading(layers)
    if not any(layer.channels.outputs is Outputs.FRESH for layer in layers):
        raise NetworkError("a network needs at least one linear layer, got none")


def check_outputs(output_shape: Shape, classes: tuple[Label, ...] | None) -> None:
    """Raise NetworkError unless the outputs tell the classes apart, if there are any."""
    if classes is not None:
        _check_classes(classes, vector_size(output_shape))


def vector_size(output_shape: Shape) -> int:
    """How many outputs there are; NetworkError where those of one sample are no vector."""
    if len(output_shape) != 1:
        raise NetworkError(
            f"one vector of outputs is needed for each sample, got shape {output_shape};"
            " is a Flatten missing?"
        )
    return output_shape[0]


def _check_classes(classes: tuple[Label, ...], outputs: int) -> None:
    """As many as outputs, no two the same, and all ints, all finite floats, all bools or all strings."""
    if len(classes) != outputs:
        raise NetworkError(f"{outputs} outputs cannot tell {len(classes)} classes apart")
    kinds = {type(label) for label in classes}
    if len(kinds) != 1 or not kinds <= {int, float, bool, str}:
        names = ", ".join(sorted(kind.__name__ for kind in kinds))
        raise NetworkError(f"classes are all int, float, bool or str, got {names}")
    if len(set(classes)) != len(classes):
        raise NetworkError("two classes have the same label")
    if kinds == {float} and not np.isfinite(classes).all():
        raise NetworkError("classes must not be NaN or infinite")
    try:
        label_array(classes)
    except OverflowError:
        raise NetworkError("classes must be whole numbers that 64 bits hold") from None


def _check_input_shape(shape: Shape) -> None:
    if not shape or not all(type(size) is int and size > 0 for size in shape):
        raise NetworkError(f"input_shape must hold positive whole numbers, got {shape}")


def _check_layer_types(layers: tuple[Layer, ...]) -> None:
    for address, layer in enumerate(layers):
        if not isinstance(layer, Layer):
            raise NetworkError(f"layer {address}: a layer is needed, got {type(layer).__name__}")


def _check_one_dtype(layers: tuple[Layer, ...]) -> None:
    seen: dict[str, str] = {}
    for address, layer in enumerate(layers):
        for name, array in layer.arrays().items():
            seen.setdefault(str(array.dtype), f"layer {address}: {name}")
    if len(seen) > 1:
        places = " but ".join(f"{place} is {dtype}" for dtype, place in seen.items())
        raise NetworkError(f"one dtype per network: {places}")


def _check_wires(layers: tuple[Layer, ...], wires: Wires) -> None:
    """Sources stand before their readers, each layer has as many as it takes, and all but the last are read."""
    if not wires and not any(layer.several for layer in layers):
        return  # a chain
    for address in wires:
        if not 0 <= address < len(layers):
            raise NetworkError(
                f"wires: there is no layer {address}; addresses are 0 to {len(layers) - 1}"
            )
    sources = wires.all(len(layers))
    for address, (layer, held) in enumerate(zip(layers, sources, strict=True)):
        _check_sources(address, layer, held)
    read = {source for held in sources for source in held}
    unread = next((i for i in range(len(layers) - 1) if i not in read), None)
    if unread is not None:
        raise NetworkError(
            f"layer {unread}: no layer reads this {type(layers[unread]).__name__};"
            " only the last is the output"
        )


def _check_sources(address: int, layer: Layer, sources: tuple[int, ...]) -> None:
    name = f"layer {address}: {type(layer).__name__}"
    if len(sources) < 2 if layer.several else len(sources) != 1:
        wanted = "two sources or more, named in wires" if layer.several else "one source"
        raise NetworkError(f"{name} takes {wanted}, got {_listed(sources)}")
    wrong = next((source for source in sources if not INPUT <= source < address), None)
    if wrong is not None:
        raise NetworkError(
            f"{name} cannot read layer {wrong}; sources stand before it:"
            f" {INPUT} (the input) to {address - 1}"
        )


def _listed(sources: tuple[int, ...]) -> str:
    return ", ".join(map(str, sources)) or "none"


def frozen_prefix(layers: tuple[Layer, ...], wires: Wires) -> int:
    """Number of leading layers that give the same however long one trains, and that nobody reads into."""
    return min([_first_changing(layers), *(source + 1 for source in wires.far)])


def _first_changing(layers: tuple[Layer, ...]) -> int:
    changing = (i for i, layer in enumerate(layers) if layer.trainable or layer.random)
    return next(changing, len(layers))


def _check_leading(layers: tuple[Layer, ...]) -> None:
    first = _first_changing(layers)
    for address, layer in enumerate(layers):
        if layer.leads and address > first:
            raise NetworkError(
                f"layer {address}: {type(layer).__name__} must stand before every linear layer and"
                " Dropout"
            )
