"""The TensorFlow backend keeps every promise of the conformance suite, on each device present."""

from typing import Any, ClassVar

import numpy as np
import pytest

from nas_surgery.backends import Backend
from nas_surgery.network import Array
from nas_surgery.testing import BackendConformance
from nas_surgery_tensorflow import load


class TestTensorFlow(BackendConformance):
    @pytest.fixture
    def backend(self) -> Backend:
        return load()

    def run_native(self, model: Any, x: Array) -> Array:
        return np.asarray(model(x))


@pytest.mark.gpu
class TestTensorFlowOnGpu(TestTensorFlow):
    device = "gpu"
    tolerances: ClassVar[dict[str, float]] = {"float32": 1e-4, "float64": 1e-6}

    @pytest.fixture
    def backend(self) -> Backend:
        backend = load()
        if "gpu" not in backend.devices():
            pytest.skip("needs a GPU that TensorFlow can use")
        return backend
