"""Recurrent layers as torch's modules, within traced ones that pick what is asked for."""

import torch
from torch import fx, nn

import nas_surgery.network as ir
from nas_surgery.network import Array, Shape
from nas_surgery_torch.native.linear import weighted
from nas_surgery_torch.native.tracing import traced


def lstm(layer: ir.LSTM, shape: Shape) -> fx.GraphModule:
    """nn.LSTM."""
    with torch.device("meta"):
        module = nn.LSTM(layer.fan_in, layer.units, 1, layer.bias is not None, batch_first=True)
    biases = {} if layer.bias is None else {"bias_ih_l0": layer.bias, "bias_hh_l0": 0 * layer.bias}
    return _picking("LSTM", _weighted(module, layer, biases), layer)


def gru(layer: ir.GRU, shape: Shape) -> fx.GraphModule:
    """nn.GRU."""
    held = [bias for bias in (layer.bias, layer.recurrent_bias) if bias is not None]
    with torch.device("meta"):
        module = nn.GRU(layer.fan_in, layer.units, 1, bool(held), batch_first=True)
    names = ("bias_ih_l0", "bias_hh_l0") if held else ()
    both = zip(names, (layer.bias, layer.recurrent_bias), strict=False)
    biases = {name: 0 * held[0] if bias is None else bias for name, bias in both}
    return _picking("GRU", _weighted(module, layer, biases), layer)


def _weighted(module: nn.Module, layer: ir.LSTM | ir.GRU, biases: dict[str, Array]) -> nn.Module:
    kernels = {"weight_ih_l0": layer.kernel, "weight_hh_l0": layer.recurrent}
    rows = {name: kernel.reshape(len(kernel), -1).T for name, kernel in kernels.items()}
    return weighted(module, **rows, **{name: bias.ravel() for name, bias in biases.items()})


def _picking(name: str, module: nn.Module, layer: ir.LSTM | ir.GRU) -> fx.GraphModule:
    """Its outputs without its last state; the sequence reversed before and behind where it has to be."""

    def run(held: dict[str, fx.Proxy], x: fx.Proxy) -> fx.Proxy:
        y = held["cell"](x.flip(1) if layer.reverse else x)[0]
        if not layer.sequences:
            return y[:, -1]
        return y.flip(1) if layer.reverse else y

    return traced(name, run, {"cell": module})
