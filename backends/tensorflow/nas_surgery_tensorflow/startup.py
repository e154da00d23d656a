"""The first import of TensorFlow: quiet, and with what can only be settled before its runtime starts."""

import os
import re
import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

THREADS = 1  # two gain little on small networks, give other bits, and starve beside other work

PINNED = {"TF_ENABLE_ONEDNN_OPTS": "1"}
"""oneDNN's kernels give other bits than Eigen's, and are up to twice as fast on tall kernels."""

DEFAULTS = {"TF_CPP_MIN_LOG_LEVEL": "3", "KERAS_BACKEND": "tensorflow"}

NOISE = re.compile(
    rb"WARNING: All log messages before absl|[IWE]\d{4} \d\d:|\d{4}-\d\d-\d\d .*: [IWE] "
)


def start() -> None:
    """Import TensorFlow and fix what its numbers depend on; done once per process."""
    os.environ.update(PINNED)
    for name, value in DEFAULTS.items():
        os.environ.setdefault(name, value)
    with quiet():
        import tensorflow as tf

        gpus = tf.config.list_physical_devices("GPU")
    try:
        tf.config.threading.set_intra_op_parallelism_threads(THREADS)
        tf.config.threading.set_inter_op_parallelism_threads(THREADS)
        for gpu in gpus:
            tf.config.experimental.set_memory_growth(gpu, True)
    except RuntimeError:  # somebody has computed with it before
        _warn(tf.config.threading.get_intra_op_parallelism_threads())


def _warn(threads: int) -> None:
    if threads != THREADS:
        warnings.warn(
            "TensorFlow was in use before the backend was loaded, with"
            f" {threads or 'all'} threads instead of {THREADS}: results repeat bit for bit only in"
            ' processes that begin the same way; nas_surgery.backend("tensorflow") before any other use'
            " of TensorFlow sets it up",
            RuntimeWarning,
            stacklevel=5,
        )


@contextmanager
def quiet() -> Iterator[None]:
    """Hold back what TensorFlow logs from C++ while it starts; no setting of its own silences all of it.

    Other lines that reach stderr meanwhile, and all of them after an error, are passed on.
    """
    if "tensorflow" in sys.modules or sys.stderr is None:
        yield
        return
    sys.stderr.flush()
    with tempfile.TemporaryFile() as held, os.fdopen(os.dup(2), "wb") as stderr:
        os.dup2(held.fileno(), 2)
        failed = True
        try:
            yield
            failed = False
        finally:
            sys.stderr.flush()
            os.dup2(stderr.fileno(), 2)
            held.seek(0)
            stderr.writelines(line for line in held if failed or not NOISE.match(line))
