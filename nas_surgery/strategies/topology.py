"""A network without its weights: what strategies see and the journal holds."""

from typing import Any

import numpy as np

from nas_surgery.network import LAYERS, Array, Layer, Network, own
from nas_surgery.network.wires import Wires


def describe_topology(network: Network) -> dict[str, Any]:
    """Layers, their settings and the shapes of their arrays, as JSON values."""
    layers = [
        {
            "kind": layer.kind,
            **layer.config(),
            **{name: list(array.shape) for name, array in layer.arrays().items()},
        }
        for layer in network.layers
    ]
    forked = {"wires": network.wires.to_json()} if network.wires else {}
    return {
        "input_shape": list(network.input_shape),
        "dtype": str(network.dtype),
        "layers": layers,
        **forked,
    }


def skeleton(description: dict[str, Any]) -> Network:
    """A network of the described topology; its weights mean nothing and take no memory until read."""
    dtype = np.dtype(description["dtype"])
    layers = []
    for item in description["layers"]:
        fields = {key: value for key, value in item.items() if key != "kind"}
        kind = LAYERS[item["kind"]]
        held = fields.keys() & kind.array_fields()
        arrays = {name: _blank(kind, fields[name], dtype) for name in held}
        layers.append(kind(**{**fields, **arrays}))
    wires = Wires.from_json(description.get("wires", {}))
    return Network(description["input_shape"], tuple(layers), wires)


def _blank(kind: type[Layer], shape: list[int], dtype: "np.dtype[Any]") -> Array:
    """What the kind is filled with; zeros are provided lazily by the system."""
    return own(np.full(shape, kind.blank, dtype) if kind.blank else np.zeros(shape, dtype))
