"""Parameters become a spec: what is None is the silent spec's, what is not is under its own key."""

import numpy as np
import pytest

from nas_surgery.errors import EstimatorError, SpecError
from nas_surgery.runs.spec import Spec
from nas_surgery.sklearn import SurgeryClassifier
from nas_surgery.sklearn.parameters import KEYS, OF_A_NEW_NETWORK, make_spec, seed_of

OTHERS = {"random_state", "warm_start", "verbose", "overrides"}
VALUES = {
    "strategy": "paper",
    "max_epochs": 7,
    "max_parameters": 500,
    "max_macs": 600,
    "max_seconds": 8.0,
    "target_accuracy": 0.9,
    "hidden": (4, 5),
    "activation": "tanh",
    "dropout": 0.1,
    "scaling": "standard",
    "optimizer": "adam",
    "learning_rate": 0.02,
    "weight_decay": 0.001,
    "batch_size": 11,
    "backend": "torch",
    "device": "cuda",
    "validation_size": 0.3,
}
X = np.random.default_rng(0).normal(size=(30, 3))
Y = np.arange(30) % 3


def spec_of(samples=100, warm=False, **parameters):
    """The spec of an estimator with those parameters."""
    estimator = SurgeryClassifier(random_state=0).set_params(**parameters)
    return make_spec(estimator.get_params(), "cross_entropy", samples, warm)


def value(spec, key):
    """What a spec holds under a dotted key."""
    for name in key.split("."):
        spec = getattr(spec, name)
    return spec


def test_every_parameter_is_accounted_for():
    """Each stands for a key of a spec, or is the estimator's own."""
    assert set(SurgeryClassifier().get_params()) == {*KEYS, *OTHERS} == {*VALUES, *OTHERS}


def test_silent_parameters_leave_every_default_to_the_spec():
    """Nothing is set but what an estimator decides: the loss, and that no test part is cut off."""
    decided = {"data.test": 0, "training.loss": "cross_entropy"}
    assert spec_of() == Spec.from_dict({}, decided)


@pytest.mark.parametrize("name", KEYS)
def test_a_parameter_sets_its_key_and_nothing_else(name):
    """As an override of the silent spec would."""
    expected = Spec.from_dict(spec_of().to_dict(), {KEYS[name]: VALUES[name]})
    assert spec_of(**{name: VALUES[name]}) == expected != spec_of()


def test_a_warm_start_leaves_out_what_makes_a_new_network():
    """The network so far has its own."""
    spec = spec_of(warm=True, **VALUES)
    for name, key in KEYS.items():
        assert (value(spec, key) == value(Spec(), key)) == (name in OF_A_NEW_NETWORK), name


def test_everything_else_is_overridden_by_dotted_key():
    """Settings of the strategy too; overrides come behind parameters."""
    spec = spec_of(max_epochs=3, overrides={"search.price": 0.02, "search.max_epochs": 4})
    assert spec.search.settings == {"price": 0.02}
    assert spec.search.max_epochs == 4


@pytest.mark.parametrize("key", ["data.test", "data.source", "training.loss", "seed", "data"])
def test_what_the_estimator_decides_is_not_overridden(key):
    """Nor is a table that would hold it."""
    with pytest.raises(SpecError, match=key):
        spec_of(overrides={key: {}})


@pytest.mark.parametrize(("samples", "validation"), [(4, 1), (5, 0.2), (None, 0.2)])
def test_few_samples_are_validated_on_one(samples, validation):
    """Where the share of a silent spec would be none; not where a validation part is given."""
    assert spec_of(samples).data.validation == validation


def test_a_share_that_was_asked_for_stays():
    """It is refused later if it is nothing."""
    assert spec_of(4, validation_size=0.1).data.validation == 0.1
    assert spec_of(4, overrides={"data.validation": 0.1}).data.validation == 0.1


def test_a_whole_random_state_is_the_seed():
    """Of NumPy's kinds too, so that a run with that seed is the same run."""
    assert seed_of(5) == seed_of(np.int64(5)) == 5
    spec = spec_of(random_state=5)
    assert (spec.seed, spec.data.seed) == (5, 5)


def test_other_random_states_are_drawn_from():
    """A RandomState moves on; None is NumPy's global one."""
    state = np.random.RandomState(0)
    drawn = [seed_of(state), seed_of(state)]
    again = np.random.RandomState(0)
    assert drawn == [seed_of(again), seed_of(again)]
    assert drawn[0] != drawn[1]
    np.random.seed(0)
    assert [seed_of(None), seed_of(None)] == drawn


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"max_epochs": 0}, r"search\.max_epochs must be a whole number ≥ 1, got 0"),
        ({"learning_rate": -1}, r"training\.learning_rate must be a number > 0"),
        ({"backend": "nunpy"}, "unknown backend 'nunpy'; did you mean 'numpy'"),
        ({"device": "cuda"}, "no device 'cuda'"),
        ({"strategy": "default", "overrides": {"search.prize": 1}}, "'search.price'"),
        ({"overrides": 5}, "overrides must be a mapping, got 5"),
        ({"random_state": -1}, "seed must be a whole number"),
        ({"validation_size": 30}, "leave none of 30 to train on"),
        ({"max_parameters": 1}, "max_parameters"),
    ],
)
def test_a_wrong_parameter_is_a_value_error_of_fit(parameters, said):
    """That names the key and the rule, and is one of ours too."""
    with pytest.raises(ValueError, match=said) as raised:
        SurgeryClassifier(random_state=0).set_params(**parameters).fit(X, Y)
    assert isinstance(raised.value, EstimatorError)
