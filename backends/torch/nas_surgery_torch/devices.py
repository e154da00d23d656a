"""Devices, threads, and the settings that make a run repeatable."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch

THREADED_MACS = 2**28
"""Multiply-accumulates of a forward pass over one batch, from which on more threads than one pay.

Measured on two cores. From about 2**24 on two threads were 1.5 to 1.8 times as fast as one on an idle
machine, and up to ten times as slow on a busy one; from here on they gained on both.
"""


def present_devices() -> tuple[str, ...]:
    """Names of the devices present, the best first."""
    cuda = [f"cuda:{i}" for i in range(torch.cuda.device_count())]
    mps = ["mps"] if torch.backends.mps.is_available() else []
    return (*(["cuda"] if cuda else []), *cuda, *mps, "cpu")


def named_device(wanted: str) -> str:
    """The accelerator that "gpu" means here; any other name as it is."""
    accelerators = [name for name in present_devices() if name != "cpu"]
    return accelerators[0] if wanted == "gpu" and accelerators else wanted


@contextmanager
def repeatable(device: torch.device, macs: int) -> Iterator[None]:
    """Deterministic algorithms, full float32 precision, and threads by the work of one batch.

    One thread for all but large batches, because threads wait for each other as soon as anything
    else wants a core; at most the caller's. The caller's settings are restored at the end.
    """
    if device.type == "cuda":
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # else cuBLAS is refused
    threads = torch.get_num_threads()
    precision = torch.get_float32_matmul_precision()
    mode = torch.get_deterministic_debug_mode()
    fill = torch.utils.deterministic.fill_uninitialized_memory
    try:
        # no operator here reads what it has not written, and filling costs a fifth of a step
        torch.utils.deterministic.fill_uninitialized_memory = False
        torch.set_deterministic_debug_mode("error")  # the documented function imports the compiler
        torch.set_float32_matmul_precision("highest")
        if macs < THREADED_MACS:
            torch.set_num_threads(1)
        yield
    finally:
        torch.utils.deterministic.fill_uninitialized_memory = fill
        torch.set_deterministic_debug_mode(mode)
        torch.set_float32_matmul_precision(precision)
        torch.set_num_threads(threads)
