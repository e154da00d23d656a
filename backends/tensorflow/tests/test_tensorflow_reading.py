"""What is read from a Keras model is what it computes."""

from typing import Any

import numpy as np
import pytest

from nas_surgery.errors import BackendError
from nas_surgery.testing.builders import build, labelled
from nas_surgery.testing.oracles import assert_close
from nas_surgery.training.backend import Backend
from nas_surgery_tensorflow import load


@pytest.fixture(scope="module")
def backend() -> Backend:
    return load()


@pytest.fixture(scope="module")
def keras(backend: Backend) -> Any:
    import keras

    return keras


def test_weights_of_lora_are_read_as_they_are_used(backend: Backend, keras: Any) -> None:
    """The kernel is then the sum of what was trained before and a product of two."""
    dense = keras.layers.Dense(3)
    model = keras.Sequential([keras.Input((4,)), dense])
    dense.enable_lora(2)
    dense.lora_kernel_b.assign(np.ones((2, 3)))
    x = labelled(build(4, 3), 9).x
    assert_close(backend.from_native(model, 4).forward(x), model(x), 1e-6, "with LoRA")


def doubled(call: Any) -> Any:
    """A function or method that gives twice as much."""
    return lambda *args, **options: 2 * call(*args, **options)


@pytest.mark.parametrize("kind", ["sequential", "functional", "instance", "layer"])
def test_a_call_of_its_own_is_refused(backend: Backend, keras: Any, kind: str) -> None:
    """The error names the model or layer that computes something else."""
    x, culprit = keras.Input((4,)), keras.layers.Dense(3, name="culprit")
    if kind == "functional":
        model = keras.Model(x, culprit(x), name="culprit")
    else:
        model = keras.Sequential([x, culprit], name="culprit")
    if kind in ("sequential", "functional"):
        model.__class__ = type("Mine", (type(model),), {"call": doubled(type(model).call)})
    else:
        part = model if kind == "instance" else culprit
        part.call = doubled(part.call)
    with pytest.raises(BackendError, match=r"'culprit'.* computes something else than was read"):
        backend.from_native(model, 4)


def test_a_derived_class_that_computes_the_same_is_read(backend: Backend, keras: Any) -> None:
    """A Sequential with a training step of its own, for example."""
    model = type("Mine", (keras.Sequential,), {})([keras.Input((4,)), keras.layers.Dense(3)])
    assert backend.from_native(model, 4).output_shape == (3,)


def test_a_subclassed_model_is_refused(backend: Backend, keras: Any) -> None:
    """Built or not."""

    class Mine(keras.Model):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__(name="mine")
            self.dense = keras.layers.Dense(3)

        def call(self, x: Any) -> Any:
            return self.dense(x)

    model = Mine()
    for _ in range(2):
        with pytest.raises(BackendError, match="'mine': a subclassed model may do anything"):
            backend.from_native(model, 4)
        model(np.ones((1, 4)))


def test_a_layer_that_is_called_twice_is_read_twice(backend: Backend, keras: Any) -> None:
    """With the same weights."""
    x, dense = keras.Input((4,)), keras.layers.Dense(4)
    model = keras.Model(x, keras.layers.ReLU()(dense(dense(x))))
    network = backend.from_native(model, 4)
    assert [layer.kind for layer in network.layers] == ["dense", "dense", "activation"]


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_models_that_compute_in_less_are_read_with_their_own_tolerance(
    backend: Backend, keras: Any, policy: str
) -> None:
    """The weights are float32, and what is lost in arithmetic is no difference."""
    dense = keras.layers.Dense(30, "gelu", dtype=policy)
    model = keras.Sequential([keras.Input((40,)), dense, keras.layers.Dense(3, dtype=policy)])
    assert backend.from_native(model, 40).dtype == np.float32


def test_a_model_that_cannot_be_built_is_an_error_of_ours(backend: Backend, keras: Any) -> None:
    """In one line."""
    with pytest.raises(
        BackendError, match=r"cannot be built for inputs of shape \(4, 2\)"
    ) as caught:
        backend.from_native(keras.layers.Normalization(axis=7), (4, 2))
    assert "\n" not in str(caught.value)


def drawn_weights(model: Any) -> Any:
    """The model with random weights; variances are positive."""
    generator = np.random.default_rng(0)
    values = [0.5 * generator.normal(size=each.shape) for each in model.weights]
    paths = [each.path for each in model.weights]
    named = zip(paths, values, strict=True)
    model.set_weights([np.abs(v) + 0.5 if "variance" in path else v for path, v in named])
    return model


def image_model(layers: Any, x: Any) -> Any:
    """Residual, gated, depthwise, separable, enlarged: what stands in networks for images."""
    h = layers.Conv2D(4, 3, padding="same", use_bias=False)(x)
    h = layers.ReLU()(layers.BatchNormalization()(h))
    g = layers.Conv2D(4, 1, activation="swish")(layers.DepthwiseConv2D(3, padding="same")(h))
    gate = layers.GlobalAveragePooling2D(keepdims=True)(h)
    h = layers.Multiply()([h, layers.Conv2D(4, 1, activation="sigmoid")(gate)]) + g
    h = layers.SeparableConv2D(6, 3, strides=2, padding="same", activation="gelu")(h)
    h = layers.UpSampling2D(2)(layers.MaxPooling2D(2)(h))
    h = layers.Conv2DTranspose(4, 3, strides=2, padding="same")(h)
    h = layers.ZeroPadding2D(1)(layers.Cropping2D(((1, 0), (0, 1)))(h))
    h = layers.Concatenate()([h, layers.AveragePooling2D(3, 1, padding="same")(h)])
    return layers.Dense(3)(layers.Flatten()(h))


def sequence_model(layers: Any, x: Any) -> Any:
    """Attention to each other and to those before, and recurrence."""
    h = layers.LayerNormalization()(x)
    h = layers.Add()([x, layers.MultiHeadAttention(2, 4, value_dim=3)(h, h)])
    h = layers.Add()([h, layers.MultiHeadAttention(2, 4)(h, h, use_causal_mask=True)])
    h = layers.LSTM(3, return_sequences=True)(h)
    return layers.Dense(2)(layers.GRU(3, go_backwards=True)(h))


@pytest.mark.parametrize(
    ("made", "shape"),
    [(image_model, (8, 8, 3)), (sequence_model, (5, 8))],
    ids=["image", "sequence"],
)
def test_functional_models_are_read(
    backend: Backend, keras: Any, made: Any, shape: tuple[int, ...]
) -> None:
    """The network computes the same, and so does the model that it is made into, saved and loaded."""
    x = keras.Input(shape)
    model = drawn_weights(keras.Model(x, made(keras.layers, x)))
    network = backend.from_native(model, shape)
    samples = np.random.default_rng(1).normal(size=(4, *shape)).astype(np.float32)
    assert_close(network.forward(samples), model(samples), 1e-5, "read")
    assert_close(backend.to_native(network)(samples), model(samples), 1e-5, "made again")


@pytest.mark.parametrize(
    ("message", "made"),
    [
        ("reset_after=True, got False", lambda k, x: k.layers.GRU(3, reset_after=False)(x)),
        (
            "no layer for a Keras Bidirectional",
            lambda k, x: k.layers.Bidirectional(k.layers.LSTM(2))(x),
        ),
        ("no layer for a Keras Sin", lambda k, x: k.ops.sin(x)),
        ("moves channels", lambda k, x: k.layers.Permute((2, 1))(x)),
        ("PReLU with slopes of positions", lambda k, x: k.layers.PReLU()(x)),
        ("along the last axis", lambda k, x: k.layers.LayerNormalization(axis=1)(x)),
    ],
)
def test_what_cannot_be_read_is_refused_in_one_line(
    backend: Backend, keras: Any, message: str, made: Any
) -> None:
    """Which names the layer."""
    x = keras.Input((4, 3))
    model = keras.Model(x, made(keras, keras.layers.Dense(3)(x)))
    with pytest.raises(BackendError, match=rf"^layer '.*{message}") as caught:
        backend.from_native(model, (4, 3))
    assert "\n" not in str(caught.value)
