"""Layers as functions of tensors, one family a file.

An operator is called as operator(layer, arrays, *xs): the layer for its settings, its arrays by field, and
what its sources give, (N, ...), channels last as in the IR. The values of the layer's own arrays are never
read.
"""

from collections.abc import Callable

import tensorflow as tf

from nas_surgery_tensorflow.operators import (
    elementwise,
    joins,
    linear,
    norms,
    pools,
    positions,
    recurrent,
)
from nas_surgery_tensorflow.operators.base import Arrays

OPERATORS: dict[str, Callable[..., tf.Tensor]] = {
    "activation": elementwise.activation,
    "add": joins.add,
    "attend": joins.attend,
    "average_pool": pools.average_pool,
    "batch_norm": norms.batch_norm,
    "concat": joins.concat,
    "concat_positions": joins.concat_positions,
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
    "multiply": joins.multiply,
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
"""By kind of layer."""

MEASURING: dict[str, Callable[..., tuple[tf.Tensor, Arrays]]] = {
    "batch_norm": norms.batch_norm_of_batch,
}
"""What takes their place while training: besides outputs these give the layer's statistics behind the step."""

__all__ = ["MEASURING", "OPERATORS", "Arrays"]
