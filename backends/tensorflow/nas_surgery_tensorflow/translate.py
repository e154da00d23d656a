"""Networks as plain Keras models, and back."""

from nas_surgery_tensorflow.native.building import to_native
from nas_surgery_tensorflow.native.reading import from_native

__all__ = ["from_native", "to_native"]
