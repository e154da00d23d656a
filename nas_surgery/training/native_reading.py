"""What a backend has read from a model, compared once with what that model computes."""

from collections.abc import Callable, Sequence

import attrs
import numpy as np

from nas_surgery.errors import BackendError
from nas_surgery.network import Array, Layer, Network, Shape, keyed_generator, own
from nas_surgery.network.rounding import bounded_forward

SAMPLES = 16
SPREAD = 3.0  # standard deviations: both sides of every activation, and far out
SPARE = 4  # times the bound: frameworks approximate functions in their own ways

Run = Callable[[Array], Array]


@attrs.frozen
class Part:
    """A piece of a native model. place: for messages; layers: what it was read as; run: in inference.

    unit: roundoff of its arithmetic.
    """

    place: str
    layers: tuple[Layer, ...]
    run: Run
    unit: float


def compare(network: Network, parts: Sequence[Part], run: Run, name: str) -> None:
    """Raise BackendError, which says where, unless each part and the whole compute what was read.

    run: the whole model, from (N, *input_shape); name: of it, for messages.
    """
    shapes = iter(network.shapes)
    shape = next(shapes)
    for address, part in enumerate(parts):
        x = _samples(shape, part.layers, network.dtype, address)
        _compare(part.place, part, x)
        for _ in part.layers:
            shape = next(shapes)
    unit = max(part.unit for part in parts)
    x = _samples(network.input_shape, network.layers, network.dtype, len(parts))
    _compare(f"{name} as a whole", Part(name, network.layers, run, unit), x)


def compare_graph(
    network: Network, parts: Sequence[tuple[Shape, Part]], run: Run, name: str
) -> None:
    """The same of a network that forks: parts with one source each, and the shape of a sample before it.

    What joins several is compared within the whole.
    """
    for address, (shape, part) in enumerate(parts):
        _compare(part.place, part, _samples(shape, part.layers, network.dtype, address))
    unit = max(part.unit for _, part in parts)
    x = _samples(network.input_shape, network.layers, network.dtype, len(parts))
    place = f"{name} as a whole"
    wanted, bound = bounded_forward(network, x, unit)
    _check(place, answer(place, run, x), wanted, bound + unit * np.abs(wanted))


def answer(place: str, run: Run, x: Array) -> Array:
    """What a piece of a model makes of inputs; BackendError, which says where, if it fails."""
    try:
        return np.asarray(run(x)).astype(np.float64)
    except Exception as error:  # a user's hooks fail in any way
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise BackendError(f"{place}: fails on inputs of shape {x.shape}: {reason}") from error


def _compare(place: str, part: Part, x: Array) -> None:
    found = answer(place, part.run, x)
    _check(place, found, *_forward(part, x))


def _check(place: str, found: Array, wanted: Array, bound: Array) -> None:
    if found.shape != wanted.shape:
        raise BackendError(
            f"{place}: gives outputs of shape {found.shape}, and was read as layers that give"
            f" {wanted.shape}"
        )
    off = np.abs(found - wanted)
    if not np.all((off <= SPARE * bound) | (np.isnan(found) & np.isnan(wanted))):
        raise BackendError(
            f"{place}: computes something else than was read, by {off.max():.1e} where outputs reach"
            f" {np.abs(wanted).max():.1e}; a hook, or a forward pass of its own?"
        )


def _forward(part: Part, x: Array) -> tuple[Array, Array]:
    """What the layers make of inputs in float64, and how far the part's arithmetic may be from it."""
    values = x.astype(np.float64)
    errors: Array = part.unit * np.abs(values)  # of a cast to what it computes in
    for layer in part.layers:
        wide = _wide(layer)
        errors = wide.error_behind(values, errors, part.unit)
        values = wide.forward(values)
    return values, errors


def _wide(layer: Layer) -> Layer:
    held = layer.arrays().items()
    arrays = {name: own(array.astype(np.float64, copy=False)) for name, array in held}
    return attrs.evolve(layer, **arrays) if arrays else layer  # type: ignore[misc]


def _samples(shape: Shape, layers: Sequence[Layer], dtype: np.dtype, key: int) -> Array:
    """Random inputs (N, *shape), such as the first layer expects."""
    generator = keyed_generator(0, "native", key)
    x: Array = SPREAD * generator.normal(size=(SAMPLES, *shape))
    return (layers[0].usual_inputs(x) if layers else x).astype(dtype)
