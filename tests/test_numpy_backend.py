import pytest

from nas_surgery.numpy_backend import NumpyBackend
from nas_surgery.testing import BackendConformance


class TestNumpyBackend(BackendConformance):
    """The reference backend keeps what every backend promises."""

    native_model = False

    @pytest.fixture
    def backend(self):
        return NumpyBackend()
