"""Modules of any kind as networks: by an ONNX export in memory, which the importer of files reads."""

import io
import warnings
from collections.abc import Sequence
from math import prod
from typing import Any

import attrs
import numpy as np
import torch
from torch import nn

from nas_surgery.errors import BackendError
from nas_surgery.formats.onnx.interface import Interface
from nas_surgery.network import Activation, Array, Layer, Network, Shape, Softmax
from nas_surgery.training.native_model import NativeModel, channels_moved
from nas_surgery_torch.native.building import to_native
from nas_surgery_torch.native.reading import evaluating
from nas_surgery_torch.native.tracing import traced

HEADS: dict[str, tuple[Layer | None, type[nn.Module]]] = {
    "LogSoftmax": (None, nn.LogSoftmax),
    "Sigmoid": (Activation("sigmoid"), nn.Sigmoid),
    "Softmax": (Softmax(), nn.Softmax),
}
OPSET = 17
SAMPLES = 4
CLOSE = 1e-3  # of the largest output: exporter, importer and runtime round in their own ways


@attrs.frozen(eq=False)
class Exported:
    """A module with the network and the interface of its export."""

    model: nn.Module
    network: Network
    interface: Interface

    @property
    def whole(self) -> Network:
        """The network with what the module ends in; BackendError where no network holds that."""
        layers = [HEADS[operator][0] for operator in self.interface.head_operators]
        held = [layer for layer in layers if layer is not None]
        if len(held) < len(layers):
            raise BackendError(f"model: a network holds no {self.interface.head_operators[0]}")
        return _longer(self.network, held)

    def opened(self) -> NativeModel:
        """The module as a network and back, with its names as far as its modules are still there."""
        first, names = self.first, names_of(self.model, self.network)
        shape = self.network.input_shape
        behind = [*_shaping(self.interface), *_heads(self.interface)]
        mode = self.model.training

        def arrange(x: Array) -> Array:
            return channels_moved(x, shape) if first else self.interface.arrange(x)

        def close(network: Network) -> nn.Module:
            return to_native(network, first, names, behind).train(mode)

        return NativeModel(self.network, arrange, close)

    @property
    def first(self) -> bool:
        """Whether samples come with channels first."""
        layout = self.interface.layout
        return len(layout) > 1 and layout == (*range(1, len(layout)), 0)


def exported(model: nn.Module, input_shape: int | Shape) -> Exported:
    """The network of any module that can be exported for samples of a shape, as the module takes them.

    Raises BackendError, which says at which operator, for what no network holds.
    """
    from nas_surgery.formats.onnx.importer.reading import Refused, imported

    shape = (input_shape,) if isinstance(input_shape, int) else tuple(input_shape)
    with evaluating(model) as device:
        x = torch.randn(SAMPLES, *shape, generator=torch.Generator().manual_seed(0))
        samples, content = _content(model, x.to(device))
        try:
            found = imported(content)
        except Refused as refused:
            raise BackendError(f"model: {refused}") from None
        assert found.interface is not None
        result = Exported(model, found.network, found.interface)
        _check(result)
        _compare(result, samples)
    return result


def _content(model: nn.Module, x: torch.Tensor) -> tuple[torch.Tensor, bytes]:
    """Samples that the model takes, numbers or tokens, and its export."""
    reasons = []
    parameter = next((p for p in model.parameters() if p.is_floating_point()), x)
    for samples in (x.to(parameter.dtype), torch.zeros_like(x, dtype=torch.int64)):
        try:
            return samples, _export(model, samples)
        except Exception as error:  # modules and exporter fail in any way
            reasons.append((str(error).strip().splitlines() or [type(error).__name__])[0])
    raise BackendError(
        f"model: a {type(model).__name__} cannot be exported for samples of shape"
        f" {tuple(x.shape[1:])}: {reasons[0]}"
    )


def _export(model: nn.Module, x: torch.Tensor) -> bytes:
    """By the tracing exporter, which neither folds BatchNorm nor needs another package."""
    content = io.BytesIO()
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)  # one operator that no exporter knows
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.onnx.export(
                model,
                (x,),
                content,
                dynamo=False,
                training=torch.onnx.TrainingMode.PRESERVE,
                do_constant_folding=False,
                opset_version=OPSET,
                input_names=["x"],
                output_names=["y"],
                dynamic_axes={"x": {0: "N"}, "y": {0: "N"}},
            )
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
    return content.getvalue()


def _check(found: Exported) -> None:
    for node in found.interface.head:
        if node.operator not in HEADS or len(found.interface.sizes) != 1:
            raise BackendError(f"model: its outputs go through {node.operator}, which is not read")


def _compare(found: Exported, x: torch.Tensor) -> None:
    """Raise BackendError unless the network computes what the model does, which tracing may have missed."""
    y = found.model(x)
    wanted = np.asarray(y.cpu())
    samples = found.interface.arrange(np.asarray(x.cpu()))
    made = found.interface.restore(found.network.forward(samples.astype(found.network.dtype)))
    for module in _heads(found.interface):
        made = module(torch.tensor(made)).numpy()
    off, reach = np.abs(made - wanted).max(), max(1e-6, float(np.abs(wanted).max()))
    if not off <= CLOSE * reach:
        raise BackendError(
            f"model: its export computes something else, by {off:.1e} where outputs reach {reach:.1e}"
        )


def _heads(interface: Interface) -> list[nn.Module]:
    made = (HEADS[operator][1] for operator in interface.head_operators)
    return [kind() if kind is nn.Sigmoid else kind(dim=-1) for kind in made]


def _shaping(interface: Interface) -> list[nn.Module]:
    """What gives the vector of outputs the shape that the model's have."""
    split, order, sizes = interface.split, interface.order, interface.sizes
    if sizes == (prod(split),) and order == tuple(range(len(split))):
        return []
    axes = (0, *(place + 1 for place in order))

    def run(held: Any, x: Any) -> Any:
        return x.reshape(-1, *split).permute(axes).reshape(-1, *sizes)

    return [traced("Shaped", run, {})]


def _longer(network: Network, layers: Sequence[Layer]) -> Network:
    if not layers:
        return network
    return Network(network.input_shape, [*network.layers, *layers], network.wires)


def names_of(model: nn.Module, network: Network) -> dict[int, str]:
    """Where the layers of a network stand in the model that it was read from, by their values.

    Layers whose numbers are those of no module, as they are made of several, have no name.
    """
    modules = [
        (path, {_marked(p.detach().cpu().numpy()) for p in module.parameters(recurse=False)})
        for path, module in model.named_modules()
        if path
    ]
    names: dict[int, str] = {}
    for address, layer in enumerate(network.layers):
        arrays = [_marked(array) for array in layer.parameters().values()]
        fits = (path for path, marks in modules if arrays and set(arrays) <= marks)
        free = next((path for path in fits if path not in names.values()), None)
        if free is not None:
            names[address] = free
    taken = set(names.values())
    return {a: n for a, n in names.items() if not any(t.startswith(f"{n}.") for t in taken)}


def _marked(array: Array) -> bytes:
    """The numbers of an array, however its axes lie."""
    return np.sort(array, axis=None).astype(np.float64).tobytes()
