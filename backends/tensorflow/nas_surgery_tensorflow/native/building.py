"""Networks as Keras's own models."""

from collections.abc import Callable
from typing import Any

import keras

from nas_surgery.errors import BackendError
from nas_surgery.network import Network
from nas_surgery.network.wires import walk
from nas_surgery_tensorflow.native import (
    elementwise,
    joins,
    linear,
    norms,
    pools,
    positions,
    recurrent,
)
from nas_surgery_tensorflow.native.settings import Step

BUILD: dict[str, Callable[..., list[Step]]] = {
    "activation": elementwise.activation,
    "average_pool": pools.average_pool,
    "batch_norm": norms.batch_norm,
    "conv": linear.conv,
    "conv_transpose": linear.conv_transpose,
    "crop": positions.crop,
    "dense": linear.dense,
    "depth_to_space": positions.depth_to_space,
    "dropout": elementwise.dropout,
    "embedding": linear.embedding,
    "flatten": positions.flatten,
    "global_average_pool": pools.global_average_pool,
    "global_max_pool": pools.global_max_pool,
    "group_norm": norms.group_norm,
    "gru": recurrent.gru,
    "instance_norm": norms.instance_norm,
    "layer_norm": norms.layer_norm,
    "lstm": recurrent.lstm,
    "max_pool": pools.max_pool,
    "normalize": elementwise.normalize,
    "pad": positions.pad,
    "prelu": elementwise.prelu,
    "rearrange": positions.rearrange,
    "resize": positions.resize,
    "rms_norm": norms.rms_norm,
    "scale": elementwise.scale,
    "select": positions.select,
    "shift": elementwise.shift,
    "softmax": norms.softmax,
    "space_to_depth": positions.space_to_depth,
    "token": positions.token,
}
"""By kind of layer with one source: what is done one after the other."""

JOIN: dict[str, Callable[..., Step]] = {
    "add": joins.add,
    "attend": joins.attend,
    "concat": joins.concat,
    "concat_positions": joins.concat_positions,
    "multiply": joins.multiply,
}


def to_native(network: Network) -> keras.Model:
    """The network as Keras's standard layers and operations that compute `Network.forward`.

    A Sequential where it is a chain of layers, else a functional model; both are saved and loaded without
    this package. Where mean and scale of a Normalize differ in shape, both come back in their common
    shape. Raises BackendError, which names the layer, for what Keras has nothing for.
    """
    made = [_steps(network, address) for address in range(len(network.layers))]
    x = keras.Input(network.input_shape, dtype=str(network.dtype))
    if not network.wires and all(isinstance(step, keras.Layer) for each in made for step in each):
        return keras.Sequential([x, *(step for each in made for step in each)])

    def run(address: int, *xs: Any) -> Any:
        first, *others = made[address]
        y = first(*xs)
        for step in others:
            y = step(y)
        return y

    return keras.Model(x, walk(network.sources, x, run))


def _steps(network: Network, address: int) -> list[Step]:
    layer, shapes = network.layers[address], network.shapes_before(address)
    dtype = str(network.dtype)
    try:
        if layer.kind in JOIN:
            return [JOIN[layer.kind](layer, shapes, dtype)]
        made = BUILD[layer.kind](layer, shapes[0], dtype)
        return made or [keras.layers.Identity(dtype=dtype)]
    except BackendError as error:
        raise BackendError(f"layer {address}: {error}") from None
