"""LSTM and GRU."""

from typing import Any

import numpy as np

from nas_surgery.formats.onnx.importer.operators.calls import Call, Made, makes
from nas_surgery.formats.onnx.importer.outside import Outside
from nas_surgery.formats.onnx.importer.settling import arranged
from nas_surgery.formats.onnx.importer.values import Unknown
from nas_surgery.formats.onnx.importer.views import Factor, View, whole
from nas_surgery.network import GRU, LSTM, Array, Concat, Crop, Flatten, Layer

GATES = {"LSTM": (0, 2, 3, 1), "GRU": (1, 0, 2)}  # ours, as ONNX counts them
USUAL = {"LSTM": ["sigmoid", "tanh", "tanh"], "GRU": ["sigmoid", "tanh"]}


@makes("LSTM", "GRU")
def recurrent(call: Call) -> Made:
    """Forwards, backwards or both, their channels side by side; outputs are all steps, and the last."""
    _check(call)
    view = arranged(call.sketch, call.view(0), 2)
    if view.batch != 1:
        raise Outside("samples are not its second axis")
    every, last = call.used[0], len(call.used) > 1 and call.used[1]
    steps = _along(call, view.source, True) if every else None
    if last and steps is not None:
        ends = [
            call.sketch.add(_end(call, i, view.shape[1]), address)
            for i, address in enumerate(steps)
        ]
        ends = [call.sketch.add(_flat(), address) for address in ends]
    else:
        ends = _along(call, view.source, False) if last else []
    return (
        _sequence(call, steps) if steps is not None else Unknown(),
        _vector(call, ends) if ends else Unknown(),
    )


def _flat() -> Layer:
    return Flatten()


def _check(call: Call) -> None:
    operator = call.node.operator
    names = [name.lower() for name in call.setting("activations", [])]
    if names and names != USUAL[operator] * _directions(call):
        raise Outside(f"activations {names}")
    for name in ("clip", "input_forget", "layout"):
        if call.setting(name):
            raise Outside(f"its {name} is {call.setting(name)}")
    if operator == "GRU" and not call.setting("linear_before_reset", 0):
        raise Outside("its reset gate acts before the recurrent weights (linear_before_reset = 0)")
    if any(call.value(i) is not None and np.any(call.constant(i)) for i in (5, 6, 7)):
        raise Outside("it starts from other states than zero, or looks at its own cells")
    if call.value(4) is not None and len(set(call.constant(4).ravel().tolist())) > 1:
        raise Outside("sequences of different lengths")
    if len(call.used) > 2 and call.used[2]:
        raise Outside("its last cells are used")


def _directions(call: Call) -> int:
    return 2 if call.setting("direction", "forward") == "bidirectional" else 1


def _reversed(call: Call, index: int) -> bool:
    return index == 1 or call.setting("direction", "forward") == "reverse"


def _along(call: Call, source: int, sequences: bool) -> list[int]:
    """The layer of each direction."""
    return [call.sketch.add(_layer(call, i, sequences), source) for i in range(_directions(call))]


def _layer(call: Call, index: int, sequences: bool) -> Layer:
    gates = GATES[call.node.operator]
    kernel, recurrent = (_gated(call.weights(i, 3)[index], gates) for i in (1, 2))
    shared: dict[str, Any] = {"sequences": sequences, "reverse": _reversed(call, index)}
    biases: list[Array] | None = None
    if call.value(3) is not None:
        halves = call.weights(3, 2)[index].reshape(2, len(gates), -1)
        biases = [half[list(gates)] for half in halves]
    if call.node.operator == "LSTM":
        return LSTM(kernel, recurrent, None if biases is None else biases[0] + biases[1], **shared)
    return GRU(kernel, recurrent, *(biases or (None, None)), **shared)


def _gated(weights: Array, gates: tuple[int, ...]) -> Array:
    """(gates * units, in) as (in, gates, units)."""
    split = weights.reshape(len(gates), -1, weights.shape[-1])[list(gates)]
    return np.ascontiguousarray(np.moveaxis(split, -1, 0))


def _end(call: Call, index: int, steps: int) -> Layer:
    """The last step, which backwards is the first."""
    return Crop((0,), (1,)) if _reversed(call, index) else Crop((steps - 1,), (None,))


def _together(call: Call, addresses: list[int]) -> int:
    return addresses[0] if len(addresses) == 1 else call.sketch.add(Concat(), *addresses)


def _sequence(call: Call, addresses: list[int]) -> View:
    """(steps, directions, batch, units)."""
    address = _together(call, addresses)
    shape = call.sketch.shape(address)
    steps, (directions, units) = whole(1, shape[1]), _split(shape[-1], len(addresses), 2)
    return View(address, shape, (steps, directions, whole(0, shape[0]), units))


def _vector(call: Call, addresses: list[int]) -> View:
    """(directions, batch, units)."""
    address = _together(call, addresses)
    shape = call.sketch.shape(address)
    directions, units = _split(shape[-1], len(addresses), 1)
    return View(address, shape, (directions, whole(0, shape[0]), units))


def _split(channels: int, directions: int, axis: int) -> tuple[tuple[Factor, ...], ...]:
    units = channels // directions
    outer = (Factor(axis, units, directions),) if directions > 1 else ()
    return outer, (Factor(axis, 1, units),) if units > 1 else ()
