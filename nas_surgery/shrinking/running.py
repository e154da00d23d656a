"""Layers of large networks, computed by onnxruntime one at a time."""

from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from nas_surgery.formats.onnx.export import export_onnx
from nas_surgery.network import Array, Layer, Network

WORTH = 1_000_000  # multiply-accumulates for one sample, from which a session pays
CHUNK = 64  # samples at a time


class LayerRunner:
    """A `Run` that gives the heavy convolutions to onnxruntime, and computes the rest in NumPy."""

    def __init__(self) -> None:
        self._sessions: WeakKeyDictionary[Layer, Any] = WeakKeyDictionary()

    def __call__(self, layer: Layer, *xs: Array) -> Array:
        """The layer's outputs for batches `xs`."""
        shape = xs[0].shape[1:]
        if not layer.window or not layer.channels.reads or layer.macs(shape) < WORTH:
            return _in_parts(layer, xs)
        session = self._session(layer, shape)
        name = session.get_inputs()[0].name
        parts = [
            session.run(None, {name: np.ascontiguousarray(xs[0][i : i + CHUNK])})[0]
            for i in range(0, len(xs[0]), CHUNK)
        ]
        return np.concatenate(parts)

    def _session(self, layer: Layer, shape: tuple[int, ...]) -> Any:
        if layer not in self._sessions:
            import onnxruntime

            options = onnxruntime.SessionOptions()
            options.log_severity_level = 3
            options.enable_cpu_mem_arena = False  # each of many sessions would keep one
            options.enable_mem_pattern = False
            content = export_onnx(Network(shape, [layer]))
            self._sessions[layer] = onnxruntime.InferenceSession(
                content, options, providers=["CPUExecutionProvider"]
            )
        return self._sessions[layer]


def _in_parts(layer: Layer, xs: tuple[Array, ...]) -> Array:
    parts = [layer.forward(*(x[i : i + CHUNK] for x in xs)) for i in range(0, len(xs[0]), CHUNK)]
    return np.concatenate(parts)
