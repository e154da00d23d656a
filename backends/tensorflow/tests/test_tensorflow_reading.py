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


def test_a_layer_that_is_called_twice_is_refused(backend: Backend, keras: Any) -> None:
    """Its model is no chain of layers."""
    x, dense = keras.Input((4,)), keras.layers.Dense(4)
    for model in (
        keras.Model(x, dense(dense(x))),
        keras.Model(x, keras.layers.ReLU()(dense(dense(x)))),
    ):
        with pytest.raises(BackendError, match="its layers are not a chain"):
            backend.from_native(model, 4)


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
