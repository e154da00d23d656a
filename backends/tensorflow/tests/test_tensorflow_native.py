"""Keras models of networks that are no dense chains."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nas_surgery.errors import BackendError
from nas_surgery.network import Conv, MaxPool, Network
from nas_surgery.testing.backend.layer_kinds import FAMILIES, networks
from nas_surgery.testing.layers import Values, around, joined, usual
from nas_surgery.testing.oracles import assert_close
from nas_surgery.testing.zoo import mobilenet, vit, zoo_inputs
from nas_surgery.training.backend import Backend
from nas_surgery_tensorflow import load

UNKNOWN = ("strides and dilations", "pooling with dilations", "such edges")
ROUNDED = 1e-7  # some of Keras's functions have constants of float32


@pytest.fixture(scope="module")
def backend() -> Backend:
    return load()


@pytest.mark.parametrize("family", FAMILIES)
def test_models_of_layers_compute_the_forward_pass(backend: Backend, family: str) -> None:
    """Each with all that it may say; or one line says what Keras has no layer for."""
    for name, network, x in networks(family):
        model = made(backend, network)
        if (
            model is not None and len(network.input_shape) < 4
        ):  # volumes are pooled in float32 alone
            assert_close(model(x), network.forward(x), ROUNDED, name)


def made(backend: Backend, network: Network) -> Any:
    """The model of a network; None where there is none for a reason that is known."""
    try:
        return backend.to_native(network)
    except BackendError as error:
        if any(reason in str(error) for reason in UNKNOWN):
            return None
        raise


@pytest.mark.parametrize("name", joined())
def test_models_of_joins_compute_the_forward_pass(backend: Backend, name: str) -> None:
    """Sums, gates, concatenations and attention."""
    network = joined()[name]
    x = usual(network.layers[0], network.input_shape, 3)
    assert_close(backend.to_native(network)(x), network.forward(x), 1e-10, name)


@pytest.mark.filterwarnings("ignore:__array__:DeprecationWarning")
@pytest.mark.parametrize("architecture", [mobilenet, vit])
def test_models_are_saved_and_loaded(backend: Backend, architecture: Any, tmp_path: Path) -> None:
    """By Keras alone, in its safe mode, with all of their operations."""
    import keras

    network = architecture(classes=3, width=4)
    x = zoo_inputs(network, 3).astype(np.float32)
    model = backend.to_native(network)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    assert np.array_equal(again(x), model(x))
    assert_close(again(x), network.astype(np.float64).forward(x), 1e-5, "loaded")


def test_what_keras_has_no_layer_for_is_refused_by_its_address(backend: Backend) -> None:
    """In one line."""
    conv = Conv(Values(0).normal(3, 3, 2, 3), strides=2, dilations=2)
    for layer, shape in ((conv, (9, 9, 2)), (MaxPool((2,), dilations=2), (6, 3))):
        with pytest.raises(BackendError, match=r"^layer 0: Keras has no layer for .* dilations$"):
            backend.to_native(around(layer, shape))
