import attrs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.datasets import load_diabetes, load_digits, load_wine

import nas_surgery as ns
from nas_surgery.data.splits import are_pixels
from nas_surgery.formats.toml import parse_toml
from nas_surgery.reports.progress import settings_line
from nas_surgery.runs.defaults import Facts, resolve
from nas_surgery.runs.spec import Spec

FACTS = Facts(samples=1_000, inputs=20, outputs=3, regression=False)
LEFT_OUT = {
    "data": ["scaling"],
    "network": ["hidden"],
    "training": ["optimizer", "learning_rate", "batch_size", "schedule", "state_at_surgery"],
    "search": ["max_epochs"],
}
GIVEN = {
    "data": {"scaling": "none"},
    "network": {"hidden": [3]},
    "training": {
        "optimizer": "rmsprop",
        "learning_rate": 0.5,
        "weight_decay": 0.25,
        "batch_size": 7,
        "schedule": "step",
        "state_at_surgery": "carry",
    },
    "search": {"max_epochs": 3},
}

facts = st.builds(
    Facts,
    samples=st.integers(1, 10**9),
    inputs=st.integers(1, 10**6),
    outputs=st.integers(1, 10**4),
    regression=st.booleans(),
)


@given(facts, st.booleans())
def test_everything_that_is_left_out_is_filled_in_with_what_a_spec_may_hold(facts, paper):
    """Whatever the data; and a resolved spec, read again from its TOML, is not changed any more."""
    spec = resolve(Spec(), facts, paper)
    for table, keys in LEFT_OUT.items():
        assert all(getattr(getattr(spec, table), key) is not None for key in keys)
    again = Spec.from_dict(parse_toml(spec.to_toml()))
    assert again == spec
    assert resolve(again, facts, paper) == spec
    spec.training.recipe("cross_entropy", 0, 10, 5)


@pytest.mark.parametrize("paper", [False, True])
def test_what_is_given_stays(paper):
    """Every value, whoever chooses the rest."""
    spec = Spec.from_dict(GIVEN)
    assert resolve(spec, FACTS, paper) == spec


@pytest.mark.parametrize("strategy", ["default", "paper"])
@pytest.mark.parametrize("key", ["data.scaling", "network.hidden", "training.batch_size"])
def test_one_value_that_is_given_stays(strategy, key):
    """Alone among those that are chosen, in a whole run."""
    table, name = key.split(".")
    overrides = {"search.strategy": strategy, "search.max_epochs": 3, key: GIVEN[table][name]}
    result = ns.run({}, data=load_wine(return_X_y=True), overrides=overrides)
    assert result.history[0]["spec"][table][name] == GIVEN[table][name]


def test_the_papers_strategy_has_the_papers_settings():
    """Wherever a spec is silent."""
    overrides = {"search.strategy": "paper", "search.max_epochs": 2}
    result = ns.run({}, data=load_wine(return_X_y=True), overrides=overrides)
    spec = result.history[0]["spec"]
    training = {"optimizer": "sgd", "learning_rate": 0.005, "batch_size": 16}
    assert training.items() <= spec["training"].items()
    assert spec["training"]["schedule"] == "constant"
    assert spec["data"]["scaling"] == "unit"
    assert spec["network"]["hidden"] == [10]
    assert resolve(Spec(), FACTS, paper=True).search.max_epochs == 100


def test_an_optimizer_of_the_users_keeps_its_own_rate():
    """What fits Adam would not fit SGD."""
    training = resolve(Spec.from_dict({"training": {"optimizer": "sgd"}}), FACTS).training
    assert (training.learning_rate, training.weight_decay) == (0.005, None)
    assert training.schedule == "constant"


def test_weight_decay_is_chosen_only_where_it_does_not_pass_through_the_gradient():
    """What AdamW needs would stop Adam from learning."""
    for name, decay in (("adam", None), ("adamw", 0.32)):
        training = resolve(Spec.from_dict({"training": {"optimizer": name}}), FACTS).training
        assert training.weight_decay == decay


def test_small_sets_have_more_decay_smaller_batches_and_more_epochs():
    """Within bounds, so that tiny and huge sets can be trained too."""
    small, large = (attrs.evolve(FACTS, samples=count) for count in (150, 100_000))
    for facts, decay, size, epochs in ((small, 0.82, 32, 300), (large, 0.3, 128, 40)):
        spec = resolve(Spec(), facts)
        assert (spec.training.weight_decay, spec.training.batch_size) == (decay, size)
        assert spec.search.max_epochs == epochs


def test_a_given_start_needs_no_width(tmp_path):
    """None is written down for it, and it is used as it is."""
    x, y = load_wine(return_X_y=True)
    start = ns.Network.dense((13,), (5,), 3)
    result = ns.run({"search": {"max_epochs": 2}}, network=start, data=(x, y), out=tmp_path / "run")
    assert result.summary["hidden"]["start"] == [5]
    assert "hidden" not in result.history[0]["spec"]["network"]
    again = ns.resume(tmp_path / "run", data=(x, y))
    assert again.history == result.history


def test_resolved_values_stand_in_the_run_directory_and_a_resume_takes_them(tmp_path):
    """Header and `spec.toml` agree; the resumed run is the same, record by record."""
    data = load_wine(return_X_y=True)
    result = ns.run({"search": {"max_epochs": 4}}, data=data, out=tmp_path / "run")
    written = parse_toml((tmp_path / "run" / "spec.toml").read_text())
    for table, keys in LEFT_OUT.items():
        for key in keys:
            assert written[table][key] == result.history[0]["spec"][table][key]
    again = ns.resume(tmp_path / "run", data=data)
    assert again.history == result.history


def test_pixels_share_a_range_and_columns_do_not():
    """Images, flat or not, and tables of measurements, counts and signs."""
    random = np.random.default_rng(0)
    assert are_pixels(load_digits().data)
    assert are_pixels(load_digits().data / 16)
    assert are_pixels(random.normal(size=(5, 8, 8)))
    assert not are_pixels(load_wine().data)
    assert not are_pixels(load_diabetes().data)
    assert not are_pixels(random.integers(0, 16, size=(50, 16)))  # few columns
    assert not are_pixels(random.normal(size=(50, 200)))
    assert not are_pixels(random.integers(0, 1 + np.arange(200) ** 2, size=(50, 200)))
    assert not are_pixels(np.zeros((5, 100)))
    assert are_pixels(np.zeros((5, 6), np.uint8))


def test_the_scaling_is_measured_on_training_samples_alone():
    """Validation and test samples far away change neither the choice nor the layer."""
    x, y = load_wine(return_X_y=True)
    spec = {"data": {"shuffle": False}, "search": {"max_epochs": 1}}
    plain = ns.run(spec, data=(x, y, x, y))
    count = plain.summary["data"]["train"]
    far = np.where(np.arange(len(x))[:, None] < count, x, x * 1_000)
    moved = ns.run(spec, data=(far, y, far * 1_000, y))
    layer = moved.network.layers[0]
    np.testing.assert_array_equal(layer.mean, plain.network.layers[0].mean)
    np.testing.assert_array_equal(layer.scale, plain.network.layers[0].scale)


def test_the_settings_are_told_in_one_line():
    """Those that were chosen, and nothing of what does not apply."""
    chosen = settings_line(resolve(Spec(), FACTS).to_dict())
    assert chosen == (
        "settings  scaling standard, start 32, adamw 0.003, cosine, weight decay 0.32,"
        " batches of 32, 300 epochs"
    )
    paper = settings_line(resolve(Spec(), FACTS, paper=True, start=True).to_dict())
    assert paper == "settings  scaling unit, sgd 0.005, constant, batches of 16, 100 epochs"
