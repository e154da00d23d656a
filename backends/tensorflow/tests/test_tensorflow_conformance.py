"""The TensorFlow backend keeps every promise of a backend."""

from typing import Any

import pytest
from nas_surgery_tensorflow import load

from nas_surgery.backends import Backend
from nas_surgery.network import Array
from nas_surgery.testing import BackendConformance


class TestTensorFlowBackend(BackendConformance):
    @pytest.fixture
    def backend(self) -> Backend:
        return load()

    def run_native(self, model: Any, x: Array) -> Array:
        return model(x).numpy()
