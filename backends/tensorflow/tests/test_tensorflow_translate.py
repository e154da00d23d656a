"""Keras models: what a user can do with them, and what cannot be read."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nas_surgery.errors import BackendError
from nas_surgery.network import Activation, Dense, Dropout, Flatten, Network, Normalize
from nas_surgery.testing.builders import build, exact_in_float32, labelled
from nas_surgery.testing.oracles import assert_close
from nas_surgery.training.backend import Backend
from nas_surgery.training.optimizers import SGD
from nas_surgery.training.plans import Recipe
from nas_surgery.training.state import Samples, TrainState
from nas_surgery_tensorflow import load

NORMALIZE = Normalize(*map(exact_in_float32, (np.full((2, 1), 0.3), np.array([[0.1], [7.7]]))))


def rich_network() -> Network:
    """Every kind of layer."""
    return build(
        (4, 2, 3),
        NORMALIZE,
        Flatten(),
        6,
        "relu",
        Dropout(0.25),
        6,
        "leaky_relu",
        3,
        dtype="float32",
    )


@pytest.fixture(scope="module")
def backend() -> Backend:
    return load()


@pytest.fixture(scope="module")
def keras(backend: Backend) -> Any:
    import keras

    return keras


@pytest.fixture(scope="module")
def layers(keras: Any) -> Any:
    return keras.layers


# Keras's own `np.array(variable)` while saving, which NumPy 2 warns of
@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword")
def test_a_saved_model_is_loaded_without_this_package(
    backend: Backend, keras: Any, tmp_path: Path
) -> None:
    """It consists of standard layers alone, predicts the same, and is the same network bit for bit."""
    network = rich_network()
    x = labelled(network, 9).x
    backend.to_native(network).save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    assert {type(layer).__module__.partition(".")[0] for layer in again.layers} == {"keras"}
    assert_close(again(x), network.astype(np.float64).forward(x), 1e-5, "loaded model")
    assert backend.from_native(again, network.input_shape).equals(network)


def test_a_native_model_can_be_trained_with_fit(backend: Backend, keras: Any) -> None:
    """Also behind training by the backend, which leaves no setting of the process changed."""
    network = build(6, 8, "tanh", 3, dtype=np.float32)
    drawn = labelled(network, 60)
    samples = Samples(drawn.x, drawn.x[:, :3].argmax(axis=1))
    trained, _ = backend.train(TrainState(network), samples, Recipe(SGD(0.1)).plan(60, 0, 2))
    model = backend.to_native(trained.network)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.3), loss)
    losses = model.fit(samples.x, samples.y, epochs=8, verbose=0).history["loss"]
    assert losses[-1] < 0.8 * losses[0]
    after = backend.from_native(model, 6)
    assert_close(backend.predict(after, samples.x), model(samples.x), 1e-5, "after fit")


def test_a_functional_model_with_its_own_ways_of_saying_things_is_read(
    backend: Backend, layers: Any, keras: Any
) -> None:
    """Activations inside Dense layers and as layers of their own, Rescaling, adapted Normalization,
    nested chains."""
    adapted = layers.Normalization()
    adapted.adapt(np.random.default_rng(0).normal(3, 2, (50, 4)).astype(np.float32))
    head = keras.Sequential([layers.Dense(5, activation="selu"), layers.Identity()])
    chain = [layers.Rescaling(1 / 255, 0.5), layers.Dense(6, activation="gelu"), layers.ReLU(6)]
    chain += [layers.Dropout(0.5), layers.Dense(4, use_bias=False), layers.ELU(), layers.ReLU()]
    x = start = keras.Input((4,))
    for layer in [adapted, *chain]:
        x = layer(x)
    model = keras.Sequential([keras.Model(start, x), head, layers.LeakyReLU(0.01)])
    samples = np.random.default_rng(1).normal(0, 99, (20, 4)).astype(np.float32)
    network = backend.from_native(model, 4)
    assert [layer.units for layer in network.layers if isinstance(layer, Dense)] == [6, 4, 5]
    assert_close(network.forward(samples), model(samples), 1e-5, "functional model")


def test_one_layer_is_a_model_too_and_an_unbuilt_one_is_built(
    backend: Backend, layers: Any
) -> None:
    """The input shape given decides."""
    network = backend.from_native(layers.Dense(3, activation="tanh"), 5)
    assert network.input_shape == (5,)
    assert network.layers[1] == Activation("tanh")


REFUSED = {
    "no layer for a Keras UnitNormalization": lambda k: k.layers.UnitNormalization(),
    "no activation here is Keras's tanh_shrink": lambda k: k.layers.Dense(3, "tanh_shrink"),
    "negative_slope=0, got 0.3": lambda k: k.layers.ReLU(negative_slope=0.3),
    "invert=False": lambda k: k.layers.Normalization(mean=0.0, variance=1.0, invert=True),
    "float32 or float64, got float16": lambda k: k.layers.Dense(3, dtype="float16"),
    "scale of 0": lambda k: k.layers.Rescaling(0.0),
}


@pytest.mark.parametrize("message", REFUSED)
def test_what_the_ir_does_not_hold_is_refused_by_name(
    backend: Backend, keras: Any, message: str
) -> None:
    """The error names the layer as the user did, and what about it cannot be kept."""
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(4), REFUSED[message](keras)])
    model.layers[-1].name = "culprit"
    with pytest.raises(BackendError, match=message) as caught:
        backend.from_native(model, 4)
    assert "'culprit'" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_is_no_model_for_such_inputs_is_refused(backend: Backend, keras: Any) -> None:
    """Things that are no models, several outputs, other input shapes."""
    x = keras.Input((4,))
    a, b = keras.layers.Dense(3)(x), keras.layers.Dense(3)(x)
    with pytest.raises(BackendError, match="'two': gives 2 outputs, not one"):
        backend.from_native(keras.Model(x, [a, b], name="two"), 4)
    with pytest.raises(BackendError, match="got function"):
        backend.from_native(build, 4)
    with pytest.raises(BackendError, match=r"takes inputs of shape \(4,\), not \(5,\)"):
        backend.from_native(keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)]), 5)


def test_a_scale_that_keras_cannot_divide_by_is_refused(backend: Backend) -> None:
    """Its Normalization knows variances, so a negative scale would lose its sign."""
    network = build(3, Normalize(np.zeros(3), np.array([1.0, -2.0, 1.0])), 2)
    with pytest.raises(BackendError, match=r"layer 0: .* got -2"):
        backend.to_native(network)


@pytest.mark.parametrize("shape", [(), (1,), (3,), (4, 1, 3), (2, 1)])
def test_normalization_keeps_its_shape_and_every_bit(
    backend: Backend, shape: tuple[int, ...]
) -> None:
    """Scales are kept as variances, in float64: the root of the square of a float32 is exact."""
    generator = np.random.default_rng(0)
    mean, scale = generator.normal(size=shape), np.exp(generator.normal(0, 4, shape))
    normalize = Normalize(exact_in_float32(np.array(mean)), exact_in_float32(scale))
    network = build((4, 2, 3), normalize, Flatten(), 2)
    network = network.astype(np.float32)
    again = backend.from_native(backend.to_native(network), (4, 2, 3))
    assert again.equals(network)
