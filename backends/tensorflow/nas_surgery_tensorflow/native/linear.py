"""Layers that weigh channels as Keras layers, and back."""

from typing import Any

import keras
import numpy as np

import nas_surgery.network as ir
from nas_surgery.network import Array, Layer, Shape
from nas_surgery_tensorflow.native.settings import Step, array, held, refusal, require, weighted
from nas_surgery_tensorflow.operators.linear import padded_by_itself

layers = keras.layers

CONVOLUTIONS = (layers.Conv1D, layers.Conv2D, layers.Conv3D)
TRANSPOSED = (layers.Conv1DTranspose, layers.Conv2DTranspose, layers.Conv3DTranspose)
FILTERS = (layers.DepthwiseConv1D, layers.DepthwiseConv2D)
PADDINGS = (layers.ZeroPadding1D, layers.ZeroPadding2D, layers.ZeroPadding3D)
CROPPINGS = (layers.Cropping1D, layers.Cropping2D, layers.Cropping3D)


def dense(layer: ir.Dense, shape: Shape, dtype: str) -> list[Step]:
    """Dense."""
    native = layers.Dense(layer.units, use_bias=layer.bias is not None, dtype=dtype)
    return [weighted(native, shape, layer.parameters().values())]


def embedding(layer: ir.Embedding, shape: Shape, dtype: str) -> list[Step]:
    """Embedding."""
    native = layers.Embedding(*layer.table.shape, dtype=dtype)
    return [weighted(native, shape, [layer.table])]


def beside(pairs: Any, dtype: str) -> list[Step]:
    """Zeros beside positions, where there are any."""
    if not any(map(any, pairs)):
        return []
    amounts = pairs[0] if len(pairs) == 1 else tuple(pairs)
    return [PADDINGS[len(pairs) - 1](amounts, data_format="channels_last", dtype=dtype)]


def cropping(pairs: Any, dtype: str) -> keras.Layer:
    """So many positions less before and after."""
    if len(pairs) == 1:
        return layers.Cropping1D(pairs[0], dtype=dtype)
    kind = CROPPINGS[len(pairs) - 1]
    return kind(tuple(pairs), data_format="channels_last", dtype=dtype)


def conv(layer: ir.Conv, shape: Shape, dtype: str) -> list[Step]:
    """A convolution, behind zeros where Keras does not lay them itself."""
    if max(layer.strides) > 1 and max(layer.dilations) > 1:
        raise refusal("convolutions with strides and dilations")
    windows, positions = layer.windows, shape[:-1]
    padding = padded_by_itself(windows, positions)
    before = [] if padding else beside(windows.pairs(positions), dtype)
    wide = before[0].compute_output_shape((None, *shape))[1:] if before else shape
    settings = {
        "strides": layer.strides,
        "padding": (padding or "valid").lower(),
        "dilation_rate": layer.dilations,
        "use_bias": layer.bias is not None,
        "data_format": "channels_last",
        "dtype": dtype,
    }
    native, kernel = _convolution(layer, settings)
    return [*before, weighted(native, wide, held(kernel, layer.bias))]


def _convolution(layer: ir.Conv, settings: dict[str, Any]) -> tuple[keras.Layer, Array]:
    rank, few = len(layer.window), layer.groups == layer.fan_in > 1
    if few and rank <= len(FILTERS) and len(set(layer.strides)) == 1:
        multiplier = layer.units // layer.fan_in
        kernel = layer.kernel.reshape(*layer.window, layer.fan_in, multiplier)
        return FILTERS[rank - 1](layer.window, depth_multiplier=multiplier, **settings), kernel
    native = CONVOLUTIONS[rank - 1](layer.units, layer.window, groups=layer.groups, **settings)
    return native, layer.kernel


def conv_transpose(layer: ir.ConvTranspose, shape: Shape, dtype: str) -> list[Step]:
    """All outputs, which are then cropped."""
    rank = len(layer.strides)
    if max(layer.strides) > 1 and max(layer.dilations) > 1:
        raise refusal("transposed convolutions with strides and dilations")
    native = TRANSPOSED[rank - 1](
        layer.units,
        layer.kernel.shape[:-2],
        strides=layer.strides,
        dilation_rate=layer.dilations,
        use_bias=layer.bias is not None,
        data_format="channels_last",
        dtype=dtype,
    )
    weighted(native, shape, held(layer.kernel.swapaxes(-1, -2), layer.bias))
    made, wanted = native.compute_output_shape((None, *shape))[1:-1], layer.output_shape(shape)[:-1]
    ends = zip(made, wanted, layer.padding, strict=True)
    cut = [(before, size - want - before) for size, want, (before, _) in ends]
    if min(map(min, cut)) < 0:
        raise refusal(f"a {layer.describe()} with such an output_padding")
    if not any(map(any, cut)):
        return [native]
    return [native, cropping(cut, dtype)]


def read_dense(native: Any, shape: Shape) -> list[Layer]:
    """As the call takes the arrays: with LoRA the kernel is more than one variable."""
    return [ir.Dense(array(native, native.kernel), array(native, native.bias))]


def read_embedding(native: Any, shape: Shape) -> list[Layer]:
    """An Embedding."""
    require(native, mask_zero=False)
    return [ir.Embedding(array(native, native.embeddings))]


def read_conv(native: Any, shape: Shape) -> list[Layer]:
    """A Conv of one to three axes, perhaps in groups."""
    require(native, data_format="channels_last")
    before, padding = _padding(native)
    kernel, bias = array(native, native.kernel), array(native, native.bias)
    conv = ir.Conv(kernel, bias, native.strides, native.dilation_rate, padding, native.groups)
    return [*before, conv]


def _padding(native: Any) -> tuple[list[Layer], Any]:
    """What stands before, and the padding itself; a causal one has all of its zeros in front."""
    if native.padding != "causal":
        return [], native.padding
    reach = native.dilation_rate[0] * (native.kernel_size[0] - 1)
    return [], [(reach, 0)]


def read_filters(native: Any, shape: Shape) -> list[Layer]:
    """A Conv with a group for each channel."""
    require(native, data_format="channels_last")
    kernel = array(native, native.kernel)
    return [_filters(native, kernel, array(native, native.bias))]


def _filters(native: Any, kernel: Array, bias: Array | None) -> Layer:
    *window, channels, multiplier = kernel.shape
    flat = kernel.reshape(*window, 1, channels * multiplier)
    settings = (native.strides, native.dilation_rate, native.padding, channels)
    if isinstance(native.strides, int):
        settings = ((native.strides,) * len(window), *settings[1:])
    return ir.Conv(flat, bias, *settings)


def read_separable(native: Any, shape: Shape) -> list[Layer]:
    """Filters, and then a convolution of single positions."""
    require(native, data_format="channels_last")
    pointwise = array(native, native.pointwise_kernel)
    filters = _filters(native, array(native, native.depthwise_kernel), None)
    return [filters, ir.Conv(pointwise, array(native, native.bias))]


def read_transposed(native: Any, shape: Shape) -> list[Layer]:
    """A ConvTranspose that gives as many positions as Keras does."""
    require(native, data_format="channels_last")
    kernel = np.swapaxes(array(native, native.kernel), -1, -2)
    whole = ir.ConvTranspose(kernel, None, native.strides, native.dilation_rate)
    made, wanted = (
        whole.output_shape(shape)[:-1],
        native.compute_output_shape((None, *shape))[1:-1],
    )
    over = [have - want for have, want in zip(made, wanted, strict=True)]
    pairs = [(n // 2, n - n // 2) if n > 0 else (0, 0) for n in over]
    more = [max(0, -n) for n in over]
    bias = array(native, native.bias)
    return [ir.ConvTranspose(kernel, bias, native.strides, native.dilation_rate, pairs, more)]


READ = {
    layers.Dense: read_dense,
    layers.Embedding: read_embedding,
    **dict.fromkeys(CONVOLUTIONS, read_conv),
    **dict.fromkeys(FILTERS, read_filters),
    layers.SeparableConv1D: read_separable,
    layers.SeparableConv2D: read_separable,
    **dict.fromkeys(TRANSPOSED, read_transposed),
}
