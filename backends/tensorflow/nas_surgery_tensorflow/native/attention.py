"""Keras's MultiHeadAttention as the layers that it is made of."""

from typing import Any

from nas_surgery.errors import BackendError
from nas_surgery.network import Attend, Dense
from nas_surgery_tensorflow.native.settings import array, named


def read_attention(native: Any, settings: Any) -> tuple[list[Dense], Attend, Dense]:
    """Layers of queries, keys and values, what joins them, and the one behind. settings: of the call."""
    if native._attention_axes not in ((1,), [1]):
        raise BackendError(f"{named(native)}: MultiHeadAttention over several axes is not read")
    masked = [
        name for name, value in settings.items() if name.endswith("mask") and value is not None
    ]
    causal = bool(settings.get("use_causal_mask"))
    if [name for name in masked if name != "use_causal_mask"]:
        raise BackendError(f"{named(native)}: MultiHeadAttention with {masked[0]} is not read")
    before = [
        _dense(native, each, 1)
        for each in (native._query_dense, native._key_dense, native._value_dense)
    ]
    scale = native._key_dim**-0.5
    usual = before[0].units // native.num_heads == native._key_dim
    attend = Attend(native.num_heads, None if usual else scale, causal)
    return before, attend, _dense(native, native._output_dense, 2)


def _dense(native: Any, einsum: Any, inner: int) -> Dense:
    """Its axes of heads and their channels as one. inner: how many axes of the kernel are summed over."""
    kernel, bias = array(native, einsum.kernel), array(native, einsum.bias)
    rows = 1
    for size in kernel.shape[:inner]:
        rows *= size
    return Dense(kernel.reshape(rows, -1), None if bias is None else bias.ravel())
