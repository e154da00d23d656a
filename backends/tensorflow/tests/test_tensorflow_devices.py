"""Devices by all their names."""

from contextlib import nullcontext

import pytest

from nas_surgery.errors import BackendError
from nas_surgery_tensorflow import load

BACKEND = load()

import tensorflow as tf  # noqa: E402  the backend decides how it starts

from nas_surgery_tensorflow import devices  # noqa: E402


@pytest.fixture
def two_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [kind, kind])


@pytest.mark.usefixtures("two_gpus")
@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("auto", "gpu"),
        ("gpu", "gpu"),
        ("cuda", "gpu"),
        ("cuda:1", "gpu:1"),
        ("gpu:0", "gpu:0"),
        ("cpu", "cpu"),
    ],
)
def test_gpus_go_by_their_names_here_and_elsewhere(wanted: str, found: str) -> None:
    """A spec may say "cuda:1" whatever its backend."""
    assert BACKEND.device(wanted) == found


@pytest.mark.usefixtures("two_gpus")
@pytest.mark.parametrize("wanted", ["cuda:2", "mps", "cudax", "gpu0"])
def test_a_device_that_is_not_there_is_an_error_that_lists_those_that_are(wanted: str) -> None:
    """Under the names that work."""
    with pytest.raises(BackendError, match=r"present: gpu, gpu:0, gpu:1, cpu"):
        BACKEND.device(wanted)


def global_settings() -> tuple[bool, bool]:
    return (
        devices.config.is_op_determinism_enabled(),
        tf.config.experimental.tensor_float_32_execution_enabled(),
    )


@pytest.fixture
def any_device(monkeypatch: pytest.MonkeyPatch) -> None:
    """`tf.device` takes every name, since the settings are in question and not the GPU."""
    monkeypatch.setattr(tf, "device", nullcontext)


@pytest.mark.usefixtures("any_device")
def test_a_gpu_is_used_repeatably_in_full_precision_and_the_settings_are_restored() -> None:
    """After errors too: with determinism left on, a user's own `fit` would fail for want of a seed."""
    before = global_settings()
    with pytest.raises(ZeroDivisionError):
        fail_on_a_gpu()
    assert global_settings() == before


def fail_on_a_gpu() -> None:
    with devices.on("gpu:1"):
        assert global_settings() == (True, False)
        raise ZeroDivisionError
