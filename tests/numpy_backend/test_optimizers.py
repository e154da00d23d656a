"""Each optimizer against its formula, written out by hand for a linear model with a known gradient."""

import numpy as np
import pytest

from nas_surgery.network import Dense, Network
from nas_surgery.numpy_backend.backend import NumpyBackend
from nas_surgery.testing.builders import random_dense
from nas_surgery.testing.oracles import assert_close, assert_same_parameters
from nas_surgery.training.optimizers import SGD, Adam, AdamW, RMSprop, slot_names
from nas_surgery.training.plans import TrainingPlan, batches
from nas_surgery.training.state import Samples, TrainState

GENERATOR = np.random.default_rng(0)
NETWORK = Network(4, [random_dense(GENERATOR, 4, 3)])
SAMPLES = Samples(GENERATOR.normal(size=(10, 4)), GENERATOR.normal(size=(10, 3)))
RATES = np.array([0.05, 0.1, 0.02, 0.05, 0.01, 0.03, 0.1, 0.05])  # the rate changes at every step


def gradient(weights, x, y):
    """Of the mean over samples and outputs of (x K + b - y)²: 2 xᵀ r / size and 2 Σ r / size."""
    residual = x @ weights["kernel"] + weights["bias"] - y
    return {"kernel": 2 * x.T @ residual / y.size, "bias": 2 * residual.sum(axis=0) / y.size}


def sgd(w, g, rate, t, s, o):
    g = g + o.weight_decay * w
    s["velocity"] = o.momentum * s["velocity"] + g
    return w - rate * (g + o.momentum * s["velocity"] if o.nesterov else s["velocity"])


def adam(w, g, rate, t, s, o):
    if isinstance(o, AdamW):
        w = w - rate * o.weight_decay * w
    else:
        g = g + o.weight_decay * w
    s["first_moment"] = o.beta1 * s["first_moment"] + (1 - o.beta1) * g
    s["second_moment"] = o.beta2 * s["second_moment"] + (1 - o.beta2) * g**2
    first = s["first_moment"] / (1 - o.beta1**t)
    second = s["second_moment"] / (1 - o.beta2**t)
    return w - rate * first / (np.sqrt(second) + o.epsilon)


def rmsprop(w, g, rate, t, s, o):
    g = g + o.weight_decay * w
    s["second_moment"] = o.rho * s["second_moment"] + (1 - o.rho) * g**2
    s["velocity"] = o.momentum * s["velocity"] + g / (np.sqrt(s["second_moment"]) + o.epsilon)
    return w - rate * s["velocity"]


FORMULAS = {SGD: sgd, Adam: adam, AdamW: adam, RMSprop: rmsprop}


def by_hand(plan):
    """Weights and slots after the plan, from the formulas."""
    (layer,) = NETWORK.layers
    weights = {"kernel": layer.kernel.copy(), "bias": layer.bias.copy()}
    names = ("velocity", "first_moment", "second_moment")
    state = {field: dict.fromkeys(names, np.zeros(w.shape)) for field, w in weights.items()}
    formula = FORMULAS[type(plan.optimizer)]
    for t, (batch, rate) in enumerate(zip(batches(plan), plan.rates, strict=True), start=1):
        gradients = gradient(weights, SAMPLES.x[batch], SAMPLES.y[batch])
        if plan.clip_norm is not None:
            norm = np.sqrt(sum((g**2).sum() for g in gradients.values()))
            gradients = {f: g * min(1, plan.clip_norm / norm) for f, g in gradients.items()}
        weights = {
            field: formula(w, gradients[field], rate, t, state[field], plan.optimizer)
            for field, w in weights.items()
        }
    return weights, state


OPTIMIZERS = [
    SGD(),
    SGD(weight_decay=0.3),
    SGD(momentum=0.9),
    SGD(momentum=0.9, weight_decay=0.3),
    SGD(momentum=0.9, nesterov=True),
    SGD(momentum=0.7, nesterov=True, weight_decay=0.3),
    SGD(nesterov=True),
    Adam(),
    Adam(beta1=0.7, beta2=0.8, epsilon=0.1),
    Adam(weight_decay=0.3),
    AdamW(),
    AdamW(beta1=0.7, beta2=0.8, epsilon=0.1, weight_decay=0.3),
    RMSprop(),
    RMSprop(rho=0.7, epsilon=0.1),
    RMSprop(momentum=0.9),
    RMSprop(momentum=0.9, rho=0.7, weight_decay=0.3),
]


@pytest.mark.parametrize("clip_norm", [None, 0.4, 100.0])
@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=str)
def test_eight_steps_follow_the_formula(optimizer, clip_norm):
    """Two epochs in batches of 3, the last one of a single sample; weights and slots to 1e-12."""
    order = (GENERATOR.permutation(10), GENERATOR.permutation(10))
    plan = TrainingPlan(order, RATES, 3, optimizer, "mean_squared_error", clip_norm)
    after, _ = NumpyBackend().train(TrainState(NETWORK), SAMPLES, plan)
    weights, state = by_hand(plan)
    wanted = {f"layers.0.{field}": w for field, w in weights.items()}
    assert_same_parameters(after.network.parameters(), wanted, 1e-12)
    assert after.slots.updates == 8
    assert set(after.slots.values) == set(slot_names(optimizer))
    for slot, held in after.slots.values.items():
        for field in weights:
            assert_close(held[f"layers.0.{field}"], state[field][slot], 1e-12, slot)


def test_a_zero_gradient_is_not_a_division_by_zero():
    """At the optimum adaptive optimizers stand still, also with clipping."""
    network = Network(2, [Dense(np.zeros((2, 1)), np.zeros(1))])
    samples = Samples(np.ones((4, 2)), np.zeros((4, 1)))
    for optimizer in (SGD(momentum=0.9), Adam(), RMSprop(momentum=0.9)):
        plan = TrainingPlan((np.arange(4),), np.ones(2), 2, optimizer, "mean_squared_error", 1.0)
        after, losses = NumpyBackend().train(TrainState(network), samples, plan)
        assert after.network.equals(network)
        assert losses.tolist() == [0.0, 0.0]
