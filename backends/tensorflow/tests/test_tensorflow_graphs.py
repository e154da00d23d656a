"""Training of networks that are no dense chains: what the conformance suite cannot see from outside."""

import numpy as np
import pytest

from nas_surgery.errors import BackendError
from nas_surgery.network import (
    Activation,
    Add,
    Array,
    BatchNorm,
    Conv,
    Dropout,
    Embedding,
    Flatten,
    GlobalAveragePool,
    MaxPool,
    Network,
)
from nas_surgery.testing.backend.base import state_bits
from nas_surgery.testing.builders import build, labelled
from nas_surgery.testing.layers import Values
from nas_surgery.testing.oracles import assert_close
from nas_surgery.training.optimizers import SGD, Adam
from nas_surgery.training.plans import Recipe
from nas_surgery.training.state import Samples, TrainState
from nas_surgery_tensorflow import load

BACKEND = load()

from nas_surgery_tensorflow import graph_program  # noqa: E402  needs TensorFlow
from nas_surgery_tensorflow.graph import is_dense_chain  # noqa: E402

POOL = MaxPool((2, 2))
SAMPLES = 11  # in batches of 4: three steps an epoch, the last of three samples


def forked(pool: MaxPool = POOL) -> Network:
    """A small network with all that training has to look after: statistics, masks, and a fork."""
    values = Values(0)
    zeros, ones = np.zeros(3), np.ones(3)
    layers = [
        Conv(values.normal(3, 3, 2, 3), values.normal(3), padding="same"),
        Activation("relu"),
        pool,
        BatchNorm(zeros, ones, ones, zeros),
        Conv(values.normal(1, 1, 3, 3)),
        Dropout(0.3),
        Add(),
        GlobalAveragePool(),
        *build(3, 3).layers,
    ]
    return Network((4, 6, 2), layers, {5: (2,), 6: (4, 5)})


def trained(
    network: Network, cuts: tuple[int, ...] = (), steps: int = 8
) -> tuple[dict[str, bytes], Array, Network]:
    """Bits of the state, losses and network behind some steps, cut at the given ones."""
    placed, state, losses = BACKEND.place(labelled(network, SAMPLES)), TrainState(network), []
    recipe = Recipe(Adam(0.01), batch_size=4, clip_norm=1.0)
    for first, last in zip((0, *cuts), (*cuts, steps), strict=True):
        state, part = BACKEND.train(state, placed, recipe.plan(SAMPLES, first, last - first))
        losses.append(part)
    return state_bits(state), np.concatenate(losses), state.network


def test_no_cut_shows_though_functions_take_over_on_the_way(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Traced from the fifth update on, in mid-epoch; the numbers agree with those of single operations."""
    network = forked().astype(np.float32)
    _, plain, _ = trained(network)
    monkeypatch.setattr(graph_program, "EAGER_UPDATES", 4)
    graph_program._traced.cache_clear()
    bits, losses, _ = trained(network)
    assert_close(losses, plain, 1e-5, "losses")
    for cuts in [(4,), (2, 5)]:
        again, more, _ = trained(network, cuts)
        assert again == bits
        assert more.tobytes() == losses.tobytes()
    assert graph_program._traced.cache_info().misses == 1


def with_nan(network: Network) -> Samples:
    """Samples of which one value is not known."""
    drawn = labelled(network, 4)
    x = drawn.x.copy()
    x[2, 1, 1, 0] = np.nan
    return Samples(x, drawn.y)


@pytest.mark.parametrize("traced_from", [0, 99])
@pytest.mark.parametrize("pool", [POOL, MaxPool((3, 3), 2, 1)])
def test_nan_is_not_lost(pool: MaxPool, traced_from: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither in pooling, where TensorFlow drops it, nor where it fuses ReLU with what stands before."""
    monkeypatch.setattr(graph_program, "EAGER_UPDATES", traced_from)
    network = forked(pool).astype(np.float32)
    samples = with_nan(network)
    assert np.isnan(BACKEND.predict(network, samples.x)).any(axis=1).tolist() == [0, 0, 1, 0]
    losses = BACKEND.train(TrainState(network), samples, Recipe().plan(4, 0, 2))[1]
    assert np.isnan(losses).tolist() == [True]


@pytest.mark.parametrize("token", [5, -1, 0.5, np.nan])
def test_what_is_no_token_is_refused(token: float) -> None:
    """In training and in prediction."""
    network = build((4,), Embedding(Values(0).normal(5, 3)), Flatten(), 2)
    x = np.array([[0, 1, 2, 3], [1, 2, token, 0]])
    with pytest.raises(BackendError, match=r"Embedding.table has 5 rows.*got"):
        BACKEND.predict(network, x)
    with pytest.raises(BackendError, match=r"Embedding.table has 5 rows.*got"):
        BACKEND.train(TrainState(network), Samples(x, np.zeros(2, int)), Recipe().plan(2, 0, 1))


def test_masks_have_the_shape_of_what_a_dropout_reads() -> None:
    """Which need not be the layer before it: a branch of other width stands between."""
    layers = [*build(3, 4).layers, *build(4, 2).layers, Dropout(0.5), *build(4, 2).layers, Add()]
    network = Network(3, layers, {1: (0,), 2: (0,), 3: (2,), 4: (1, 3)})
    plan = Recipe(SGD(0.1), batch_size=3).plan(6, 0, 2)
    after, losses = BACKEND.train(TrainState(network), labelled(network, 6), plan)
    assert np.isfinite(losses).all()
    assert after.step == 2


def test_dense_chains_alone_have_functions_of_their_own() -> None:
    """What forks, convolves or has a function of its own goes the general way."""
    assert is_dense_chain(build((2, 3), Flatten(), 4, "gelu", Dropout(0.5), 2))
    assert not is_dense_chain(build(4, 4, "mish", 2))
    assert not is_dense_chain(forked())
