"""Small networks of the architectures that people have, with random weights, for tests and benchmarks.

Each function is called as name(input_shape, classes=10, width, seed=0, dtype=float32) and gives a Network.
"""

from collections.abc import Callable

from nas_surgery.network import Array, Network
from nas_surgery.testing.layers import usual
from nas_surgery.testing.zoo.branches import densenet, inception, shufflenet, unet
from nas_surgery.testing.zoo.chains import lenet, vgg
from nas_surgery.testing.zoo.residual import mobilenet, resnet8, resnet20
from nas_surgery.testing.zoo.sequences import encoder_block, gru, lstm, transformer, vit

ZOO: dict[str, Callable[..., Network]] = {
    made.__name__: made
    for made in (
        *(lenet, vgg, resnet8, resnet20, mobilenet, densenet, shufflenet, inception, unet),
        *(lstm, gru, transformer, vit),
    )
}


def zoo_inputs(network: Network, count: int, seed: int = 0) -> Array:
    """Inputs (count, *input_shape) such as the network expects: tokens where it has such."""
    return usual(network.layers[0], network.input_shape, count, seed)


__all__ = [
    "ZOO",
    "densenet",
    "encoder_block",
    "gru",
    "inception",
    "lenet",
    "lstm",
    "mobilenet",
    "resnet8",
    "resnet20",
    "shufflenet",
    "transformer",
    "unet",
    "vgg",
    "vit",
    "zoo_inputs",
]
