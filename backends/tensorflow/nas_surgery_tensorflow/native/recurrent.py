"""Recurrent layers as Keras layers, and back."""

from typing import Any

import keras
import numpy as np

import nas_surgery.network as ir
from nas_surgery.errors import BackendError
from nas_surgery.network import Array, Layer, Shape
from nas_surgery_tensorflow.native.settings import Step, array, held, named, require, weighted

layers = keras.layers

TURNED = [1, 0, 2]  # Keras's GRU has its gates in the order z, r, n


def lstm(layer: ir.LSTM, shape: Shape, dtype: str) -> list[Step]:
    """LSTM, with its gates in the same order."""
    native = layers.LSTM(layer.units, use_bias=layer.bias is not None, **_settings(layer, dtype))
    bias = None if layer.bias is None else layer.bias.ravel()
    return _straight(layer, weighted(native, shape, held(*_kernels(layer, slice(None)), bias)))


def gru(layer: ir.GRU, shape: Shape, dtype: str) -> list[Step]:
    """GRU."""
    biases = [layer.bias, layer.recurrent_bias]
    biased = any(bias is not None for bias in biases)
    native = layers.GRU(layer.units, use_bias=biased, reset_after=True, **_settings(layer, dtype))
    none = np.zeros((3, layer.units), layer.kernel.dtype)
    rows = [(none if bias is None else bias)[TURNED].ravel() for bias in biases]
    arrays = [*_kernels(layer, TURNED), *([np.stack(rows)] if biased else [])]
    return _straight(layer, weighted(native, shape, arrays))


def _settings(layer: ir.LSTM | ir.GRU, dtype: str) -> dict[str, Any]:
    return {
        "return_sequences": layer.sequences,
        "go_backwards": layer.reverse,
        "dtype": dtype,
    }


def _kernels(layer: ir.LSTM | ir.GRU, order: Any) -> list[Array]:
    return [each[:, order].reshape(len(each), -1) for each in (layer.kernel, layer.recurrent)]


def _straight(layer: ir.LSTM | ir.GRU, native: keras.Layer) -> list[Step]:
    """Keras leaves reversed sequences as they were computed."""
    if layer.reverse and layer.sequences:
        return [native, lambda x: keras.ops.flip(x, axis=1)]
    return [native]


def _check(native: Any) -> None:
    require(native, return_state=False, stateful=False)
    for name, wanted in (("activation", "tanh"), ("recurrent_activation", "sigmoid")):
        if getattr(native, name) is not getattr(keras.activations, wanted):
            raise BackendError(
                f"{named(native)}: {type(native).__name__} is read with {name}={wanted}"
            )
    if native.go_backwards and native.return_sequences:
        raise BackendError(f"{named(native)}: sequences that stay reversed are not read")


def _split(native: Any, variable: Any, gates: int) -> Array:
    values = array(native, variable)
    return values.reshape(len(values), gates, -1)


def read_lstm(native: Any, shape: Shape) -> list[Layer]:
    """An LSTM."""
    _check(native)
    cell = native.cell
    kernel, recurrent = (_split(native, each, 4) for each in (cell.kernel, cell.recurrent_kernel))
    bias = array(native, cell.bias) if native.use_bias else None
    bias = None if bias is None else bias.reshape(4, -1)
    return [ir.LSTM(kernel, recurrent, bias, native.return_sequences, native.go_backwards)]


def read_gru(native: Any, shape: Shape) -> list[Layer]:
    """A GRU that resets behind its product."""
    _check(native)
    require(native, reset_after=True)
    cell = native.cell
    kernel, recurrent = (
        _split(native, each, 3)[:, TURNED] for each in (cell.kernel, cell.recurrent_kernel)
    )
    biases: list[Any] = [None, None]
    if native.use_bias:
        biases = [each.reshape(3, -1)[TURNED] for each in array(native, cell.bias)]
    return [ir.GRU(kernel, recurrent, *biases, native.return_sequences, native.go_backwards)]


READ = {layers.LSTM: read_lstm, layers.GRU: read_gru}
