"""Devices, and the settings that make a run repeatable."""

from collections.abc import Iterator
from contextlib import contextmanager

import tensorflow as tf
from tensorflow.python.framework import config  # no public way leads back from determinism


def present_devices() -> tuple[str, ...]:
    """Names of the devices present, the best first."""
    gpus = [f"gpu:{i}" for i in range(len(tf.config.list_physical_devices("GPU")))]
    return (*(["gpu"] if gpus else []), *gpus, "cpu")


def named_device(wanted: str) -> str:
    """The name here of what is elsewhere called "cuda" or "cuda:1"; any other name as it is."""
    return "gpu" + wanted.removeprefix("cuda") if wanted.startswith("cuda") else wanted


@contextmanager
def on(device: str) -> Iterator[None]:
    """Compute on a device, repeatably and in full float32 precision.

    On the CPU all that is used here is repeatable anyway. The settings for a GPU are the whole
    process's, and would forbid the user's own unseeded random numbers: they are restored at the end.
    """
    if device == "cpu":
        with tf.device("/CPU:0"):
            yield
        return
    determinism = config.is_op_determinism_enabled()
    short = tf.config.experimental.tensor_float_32_execution_enabled()
    try:
        tf.config.experimental.enable_op_determinism()
        tf.config.experimental.enable_tensor_float_32_execution(False)
        with tf.device(f"/GPU:{device.partition(':')[2] or 0}"):
            yield
    finally:
        tf.config.experimental.enable_tensor_float_32_execution(short)
        if not determinism:
            config.disable_op_determinism()
