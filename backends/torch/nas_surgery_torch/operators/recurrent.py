"""Layers that carry a state from position to position."""

import torch

import nas_surgery.network as ir
from nas_surgery_torch.operators.base import Arrays, Operator, Place


def lstm(layer: ir.LSTM, place: Place) -> Operator:
    """torch's own, whose gates stand in the same order; its second bias is zero."""

    def run(arrays: Arrays, x: torch.Tensor) -> torch.Tensor:
        zero = x.new_zeros(1, x.size(0), layer.units)
        weights, biased = _weights(arrays, "bias")
        x = x.flip(1) if layer.reverse else x
        y, *_ = torch.lstm(x, [zero, zero], weights, biased, 1, 0.0, place.training, False, True)
        return _outputs(layer, y)

    return Operator(run)


def gru(layer: ir.GRU, place: Place) -> Operator:
    """The same, with one state."""

    def run(arrays: Arrays, x: torch.Tensor) -> torch.Tensor:
        zero = x.new_zeros(1, x.size(0), layer.units)
        weights, biased = _weights(arrays, "bias", "recurrent_bias")
        x = x.flip(1) if layer.reverse else x
        y, _ = torch.gru(x, zero, weights, biased, 1, 0.0, place.training, False, True)
        return _outputs(layer, y)

    return Operator(run)


def _weights(arrays: Arrays, *biases: str) -> tuple[list[torch.Tensor], bool]:
    """What torch wants: (gates · units, in) and (gates · units,), in one order; and whether it is biased."""
    kernels = [arrays["kernel"].flatten(0, 1), arrays["recurrent"].flatten(0, 1)]
    if not any(name in arrays for name in biases):
        return kernels, False
    none = kernels[0].new_zeros(len(kernels[0]))
    held = [arrays[name].flatten() if name in arrays else none for name in biases]
    return [*kernels, *held, *[none] * (2 - len(held))], True


def _outputs(layer: ir.LSTM | ir.GRU, y: torch.Tensor) -> torch.Tensor:
    """Each where its input stands, or the one that was computed last."""
    if not layer.sequences:
        return y[:, -1]
    return y.flip(1) if layer.reverse else y
