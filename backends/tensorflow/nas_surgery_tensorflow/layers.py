"""The layers as TensorFlow operations, from descriptions that hold no weights."""

import math
from collections.abc import Callable, Sequence

import attrs
import tensorflow as tf

from nas_surgery.network import Activation, Dense, Dropout, Flatten, Layer
from nas_surgery.network.activations import LEAKY_SLOPE

# Functions decorated with `tf.custom_gradient`, such as `tf.nn.silu`, are not used: they register each
# traced call for ever. `tf.nn.relu` and `relu6` are not either: TensorFlow fuses them with the product
# before, and oneDNN's fused kernel turns NaN into 0, so that training would go on unaware.


def _relu(x: tf.Tensor) -> tf.Tensor:
    return tf.where(x <= 0, tf.zeros_like(x), x)


def _relu6(x: tf.Tensor) -> tf.Tensor:
    return tf.where(x >= 6, tf.constant(6, x.dtype), _relu(x))


def _silu(x: tf.Tensor) -> tf.Tensor:
    return x * tf.math.sigmoid(x)


def _leaky_relu(x: tf.Tensor) -> tf.Tensor:
    """Not `tf.nn.leaky_relu`, whose slope is a float32 in float64 too."""
    one, slope = (tf.constant(value, x.dtype) for value in (1, LEAKY_SLOPE))
    return x * tf.where(x > 0, one, slope)


def _gelu(x: tf.Tensor) -> tf.Tensor:
    """Not `tf.nn.gelu`, whose constants are float32 in float64 too."""
    return 0.5 * x * tf.math.erfc(x * -math.sqrt(0.5))


ACTIVATIONS: dict[str, Callable[[tf.Tensor], tf.Tensor]] = {
    "linear": lambda x: x,
    "relu": _relu,
    "relu6": _relu6,
    "leaky_relu": _leaky_relu,
    "elu": tf.nn.elu,
    "selu": tf.nn.selu,
    "gelu": _gelu,
    "tanh": tf.math.tanh,
    "sigmoid": tf.math.sigmoid,
    "softplus": tf.math.softplus,
    "silu": _silu,
}


@attrs.frozen
class Linear:
    """A Dense without its arrays. flipped: whether its kernel is given as (out, in)."""

    fan_in: int
    units: int
    biased: bool
    flipped: bool = False

    @property
    def arrays(self) -> int:
        """Number of its weight arrays."""
        return 1 + self.biased


Description = Linear | Activation | Dropout | Flatten


def describe(layers: Sequence[Layer]) -> tuple[Description, ...]:
    """What a program has to know of the layers: hashable, and equal for one topology."""
    return tuple(
        Linear(layer.fan_in, layer.units, layer.bias is not None)
        if isinstance(layer, Dense)
        else layer  # type: ignore[misc]
        for layer in layers
    )


def forward(
    layers: Sequence[Description],
    weights: Sequence[tf.Tensor],
    x: tf.Tensor,
    masks: Sequence[tf.Tensor] = (),
) -> tf.Tensor:
    """Logits (B, outputs) of x (B, ...).

    weights: kernel and bias of each linear layer in turn. masks: for each Dropout what is kept,
    (B, ...), while training; without masks nothing is dropped.
    """
    held, kept = iter(weights), iter(masks)
    for layer in layers:
        if isinstance(layer, Linear):
            x = _linear(layer, x, next(held), next(held) if layer.biased else None)
        elif isinstance(layer, Activation):
            x = ACTIVATIONS[layer.function](x)
        elif isinstance(layer, Flatten):
            x = tf.reshape(x, (-1, math.prod(x.shape[1:])))
        elif masks:
            x *= tf.cast(next(kept), x.dtype) / (1 - layer.rate)
    return x


def _linear(layer: Linear, x: tf.Tensor, kernel: tf.Tensor, bias: tf.Tensor | None) -> tf.Tensor:
    rows = x if len(x.shape) == 2 else tf.reshape(x, (-1, layer.fan_in))
    y = tf.matmul(rows, kernel, transpose_b=layer.flipped)
    y = y if bias is None else tf.nn.bias_add(y, bias)
    return y if len(x.shape) == 2 else tf.reshape(y, (-1, *x.shape[1:-1], layer.units))
