"""Moving a constant between the inputs and the first bias: x W + b = (x - m) W + (b + m W)."""

import attrs
import numpy as np

from nas_surgery.errors import OperationError
from nas_surgery.network import (
    Array,
    Layer,
    Network,
    Normalize,
    Outputs,
    bias_of,
    fan_in,
    kernel_of,
    own,
    with_weights,
)
from nas_surgery.surgery.probe import writer_inputs

FOLD_ROUNDING = 1e-5  # float32 keeps so much of inputs at 84 standard deviations from zero


def centre_inputs(network: Network, mean: Array) -> Network:
    """A Normalize that subtracts `mean` (in,) before the first linear layer, whose bias gives it back."""
    first = first_linear(network)
    shift = own(np.asarray(mean, network.dtype))
    added = Normalize(shift, own(np.ones(shift.shape, network.dtype)))
    return network.replace({first: (added, _shifted(network, first, shift))})


def fold_centring(network: Network) -> Network:
    """Every Normalize without its mean, which the first bias takes over; one that then does nothing goes."""
    first = first_linear(network)
    changes: dict[int, tuple[Layer, ...]] = {}
    for address, layer in enumerate(network.layers):
        if isinstance(layer, Normalize):
            zeros = own(np.zeros(layer.mean.shape, network.dtype))
            changes[address] = (
                () if np.all(layer.scale == 1) else (attrs.evolve(layer, mean=zeros),)
            )
    changes[first] = (_shifted(network, first, _input_at_zero(network, first)),)
    return network.replace(changes)


def is_centred(network: Network) -> bool:
    """Whether a Normalize subtracts anything."""
    return any(isinstance(layer, Normalize) and layer.mean.any() for layer in network.layers)


def fold_loses_digits(network: Network, probe: Array | None) -> bool:
    """Whether sums with the mean in them would be coarser than `FOLD_ROUNDING` of the inputs' spread.

    The spread is that of the probe's inputs to the first linear layer; without a probe it is taken for
    one that the Normalize layers scale to 1.
    """
    first = first_linear(network)
    at_zero = _input_at_zero(network, first)
    spread = np.ones_like(at_zero)
    if probe is not None:
        spread = writer_inputs(network, first, probe).std(axis=0)
    coarse = float(np.finfo(network.dtype).eps) * np.linalg.norm(at_zero)
    return bool(coarse > FOLD_ROUNDING * np.linalg.norm(spread))


def first_linear(network: Network) -> int:
    """Address of the first linear layer; OperationError if something other than preprocessing precedes it."""
    if network.wires:
        raise OperationError("the inputs of a network with branches may be read in several places")
    outputs = [layer.channels.outputs for layer in network.layers]
    address = outputs.index(Outputs.FRESH)
    before = network.layers[:address]
    if not all(layer.leads or layer.channels.outputs is Outputs.TILE for layer in before):
        raise OperationError("the inputs pass other layers before the first linear one")
    return address


def _input_at_zero(network: Network, first: int) -> Array:
    """What the first linear layer reads where the raw input is zero, (in,)."""
    width = fan_in(network.layers[first])
    wide = network.astype(np.float64)
    rows = wide.forward(np.zeros((1, *network.input_shape)), stop=first).reshape(-1, width)
    if np.any(rows != rows[0]):
        raise OperationError(
            "the inputs' mean differs between positions that share the first layer"
        )
    at_zero: Array = rows[0]
    return at_zero


def _shifted(network: Network, first: int, mean: Array) -> Layer:
    layer = network.layers[first]
    kernel, old = kernel_of(layer), bias_of(layer)
    bias = mean.astype(np.float64) @ kernel.astype(np.float64)
    return with_weights(layer, kernel, bias if old is None else bias + old)
