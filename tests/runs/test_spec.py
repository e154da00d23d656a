import tomllib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas_surgery.errors import SpecError
from nas_surgery.formats.toml import MAX_BYTES
from nas_surgery.network import ACTIVATIONS
from nas_surgery.runs.spec import Spec, parse_override, parse_toml

REFUSED = [
    # what the file holds, the key that the message names, the rule that it states
    ("sed = 1", "'sed'", "unknown key 'sed'; did you mean 'seed'?"),
    ("[data]\nsorce = 'x'", "'data.sorce'", "did you mean 'data.source'?"),
    ("[run]\nzzz = 1", "'run.zzz'", "known: executor"),
    ("[network]\nhidden = [3]\nfiel = 'x'", "'network.fiel'", "did you mean 'network.file'?"),
    ("data = 3", "data", "must be a table, got 3"),
    ("seed = true", "seed", "must be a whole number, got True"),
    ("seed = 1.0", "seed", "must be a whole number, got 1.0"),
    ("seed = '3'", "seed", "must be a whole number, got '3'"),
    ("seed = -1", "seed", "≥ 0"),
    (f"seed = {2**64}", "seed", "≤ 9223372036854775807"),
    ("plugins = 'a.py'", "plugins", "must be a list, got 'a.py'"),
    ("plugins = [1]", "plugins", "must be a string, got 1"),
    ("[data]\nsource = 3", "data.source", "must be a string"),
    ("[data]\nvalidation = 'tset'", "data.validation", 'a fraction, a count or "test"'),
    ("[data]\nvalidation = 0", "data.validation", "≥ 1"),
    ("[data]\nvalidation = 1.0", "data.validation", "< 1"),
    ("[data]\nvalidation = nan", "data.validation", "got nan"),
    ("[data]\nvalidation = true", "data.validation", "got True"),
    ("[data]\ntest = -0.1", "data.test", "≥ 0"),
    ("[data]\ntest = 1", "data.test", "< 1"),
    ("[data]\ntrain_limit = 0", "data.train_limit", "≥ 1"),
    ("[data]\nshuffle = 1", "data.shuffle", "must be true or false, got 1"),
    ("[data]\nseed = -1", "data.seed", "≥ 0"),
    ("[data]\nscaling = 'unti'", "data.scaling", "must be one of 'unit', 'standard', 'none'"),
    ("[network]\nhidden = '10'", "network.hidden", "must be a list, got '10'"),
    ("[network]\nhidden = [0]", "network.hidden", "≥ 1"),
    ("[network]\nhidden = [-3]", "network.hidden", "≥ 1"),
    ("[network]\nhidden = [2.5]", "network.hidden", "must be a whole number, got 2.5"),
    ("[network]\nhidden = ['3']", "network.hidden", "must be a whole number, got '3'"),
    ("[network]\nhidden = [true]", "network.hidden", "must be a whole number, got True"),
    (f"[network]\nhidden = [{2**70}]", "network.hidden", "≤ 1000000"),
    ("[network]\nactivation = 'rleu'", "network.activation", "must be one of 'linear', 'relu'"),
    ("[network]\ninitializer = 'x'", "network.initializer", "must be one of 'glorot_uniform'"),
    ("[network]\ndropout = 1.0", "network.dropout", "< 1"),
    ("[network]\nfile = 3", "network.file", "must be a string"),
    ("[training]\nlearning_rate = nan", "training.learning_rate", "got nan"),
    ("[training]\nlearning_rate = 1e999", "training.learning_rate", "got inf"),
    ("[training]\nlearning_rate = 0", "training.learning_rate", "> 0"),
    ("[training]\nlearning_rate = 'x'", "training.learning_rate", "must be a number, got 'x'"),
    ("[training]\nbatch_size = 0", "training.batch_size", "≥ 1"),
    ("[training]\noptimizer = 'sdg'", "training.optimizer", "must be one of 'sgd', 'adam'"),
    ("[training]\nloss = 'x'", "training.loss", "must be one of 'auto', 'cross_entropy'"),
    ("[training]\nschedule = 'x'", "training.schedule", "must be one of 'constant', 'cosine'"),
    ("[training]\nstate_at_surgery = 'x'", "training.state_at_surgery", "one of 'reset', 'carry'"),
    ("[training]\nbeta1 = 1", "training.beta1", "< 1"),
    ("[search]\nstrategy = 3", "search.strategy", "must be a string"),
    ("[search]\nmax_epochs = 0", "search.max_epochs", "≥ 1"),
    ("[search]\nexclude = 3", "search.exclude", "must be a list"),
    ("[search]\nexclude = [-1]", "search.exclude", "≥ 0"),
    ("[search]\ntarget_accuracy = inf", "search.target_accuracy", "got inf"),
    ("[search]\nmax_seconds = 0", "search.max_seconds", "> 0"),
    ("[run]\nexecutor = 3", "run.executor", "must be a string"),
    ("[run]\nthreads = 0", "run.threads", "≥ 1"),
    ("seed =", "not valid TOML", "Invalid value"),
    ("seed = 1\nseed = 2", "not valid TOML", "overwrite"),
]


@pytest.mark.parametrize(("text", "key", "rule"), REFUSED)
def test_every_refusal_names_file_key_and_rule(tmp_path, text, key, rule):
    """In one line."""
    file = tmp_path / "spec.toml"
    file.write_text(text)
    with pytest.raises(SpecError) as refusal:
        Spec.from_toml(file)
    message = str(refusal.value)
    assert message.startswith(f"{file}: ")
    assert key in message
    assert rule in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        (b"\xff\xfe", "not UTF-8"),
        (b"#" * (MAX_BYTES + 1), f"larger than {MAX_BYTES} bytes"),
        (b"a" + 40_000 * b".a" + b" = 1", "line 1: nested deeper"),
        (b'"="' + 40_000 * b".a" + b" = 1", "line 1: nested deeper"),
        (('"\u2028"' + 15_000 * '."\u2028"').encode() + b" = 1", "line 1: nested deeper"),
        (b"seed = 1\nx = " + 300 * b"[", "line 2: nested deeper"),
        (b"x = " + 40_000 * b"[\n", "line 9: nested deeper"),
    ],
)
def test_hostile_files_are_refused_at_once(tmp_path, content, rule):
    """Before they cost time or memory: tomllib alone needs all memory for a key of 100,000 parts."""
    file = tmp_path / "spec.toml"
    file.write_bytes(content)
    with pytest.raises(SpecError, match=rule):
        Spec.from_toml(file)


def test_a_missing_file_and_a_folder_are_named(tmp_path):
    """With the system's own reason."""
    with pytest.raises(SpecError, match=r"nowhere\.toml: No such file"):
        Spec.from_toml(tmp_path / "nowhere.toml")
    with pytest.raises(SpecError, match="Is a directory"):
        Spec.from_toml(tmp_path)


def test_an_empty_file_is_a_complete_spec(tmp_path):
    """Every key has a default."""
    file = tmp_path / "spec.toml"
    file.write_text("")
    assert Spec.from_toml(file) == Spec() == Spec.from_dict({})


positive = st.floats(1e-9, 1e9)
specs = st.fixed_dictionaries(
    {},
    optional={
        "seed": st.integers(0, 2**63 - 1),
        "plugins": st.lists(st.text(st.characters(codec="utf-8"), min_size=1), max_size=2),
        "data": st.fixed_dictionaries(
            {},
            optional={
                "source": st.text(st.characters(codec="utf-8")),
                "validation": st.one_of(
                    st.just("test"), st.integers(1, 10**6), st.floats(0.01, 0.99)
                ),
                "train_limit": st.integers(1, 10**6),
                "shuffle": st.booleans(),
            },
        ),
        "network": st.fixed_dictionaries(
            {},
            optional={
                "hidden": st.lists(st.integers(1, 10**6), max_size=4),
                "activation": st.sampled_from(sorted(ACTIVATIONS)),
                "dropout": st.floats(0, 0.99),
            },
        ),
        "training": st.fixed_dictionaries(
            {}, optional={"learning_rate": positive, "nesterov": st.booleans()}
        ),
        "search": st.fixed_dictionaries(
            {},
            optional={
                "max_seconds": positive,
                "exclude": st.lists(st.integers(0, 99), max_size=3),
                "a_key_of_the_strategy": st.one_of(st.integers(-9, 9), positive, st.booleans()),
            },
        ),
    },
)


@given(specs)
def test_the_round_trip_gives_the_same_spec(values):
    """Through plain values, and through TOML text."""
    spec = Spec.from_dict(values)
    assert Spec.from_dict(spec.to_dict()) == spec
    assert Spec.from_dict(parse_toml(spec.to_toml())) == spec
    assert Spec.from_dict(tomllib.loads(spec.to_toml())).to_toml() == spec.to_toml()


def test_overrides_win_and_leave_the_rest(tmp_path):
    """By dotted key, into tables that the file has or has not; NumPy's numbers are numbers."""
    file = tmp_path / "spec.toml"
    file.write_text("seed = 1\n[search]\nmax_epochs = 5\nmax_macs = 9\n")
    overrides = {"search.max_epochs": 7, "training.learning_rate": np.float32(0.5), "seed": 2}
    spec = Spec.from_toml(file, {**overrides, "network.hidden": (np.int64(3), 4)})
    assert (spec.search.max_epochs, spec.search.max_macs, spec.seed) == (7, 9, 2)
    assert (spec.training.learning_rate, spec.network.hidden) == (0.5, (3, 4))


def test_the_callers_values_are_left_alone():
    """Overrides are set in a copy."""
    values = {"search": {"max_epochs": 5}}
    Spec.from_dict(values, {"search.max_epochs": 7, "data.seed": 3})
    assert values == {"search": {"max_epochs": 5}}


@pytest.mark.parametrize(
    ("overrides", "rule"),
    [
        ({"search.max_epochs": 0}, r"search\.max_epochs must be"),
        ({"serach.max_epochs": 1}, "unknown key 'serach'; did you mean 'search'"),
        ({"seed.x": 1}, "seed is not a table"),
        ({"data.source.x": 1}, r"data\.source must be a string"),
        ({"": 1}, "unknown key ''"),
    ],
)
def test_overrides_are_checked_like_the_file(overrides, rule):
    """The message names the same dotted key."""
    with pytest.raises(SpecError, match=rule):
        Spec.from_dict({"seed": 1}, overrides)


@pytest.mark.parametrize(
    ("text", "key", "value"),
    [
        ("search.max_epochs=20", "search.max_epochs", 20),
        ("a.b = 0.5", "a.b", 0.5),
        ("x=true", "x", True),
        ("network.hidden=[3, 4]", "network.hidden", [3, 4]),
        ("training.optimizer=adam", "training.optimizer", "adam"),
        ('data.source="npz:a=b.npz"', "data.source", "npz:a=b.npz"),
        ("data.source=npz:a=b.npz", "data.source", "npz:a=b.npz"),
        ("x=", "x", ""),
    ],
)
def test_overrides_on_the_command_line_are_toml_or_strings(text, key, value):
    """Types are as in a file; quotes may be left out."""
    assert parse_override(text) == (key, value)
    assert type(parse_override(text)[1]) is type(value)


@pytest.mark.parametrize("text", ["x", "=3", " =3"])
def test_an_override_needs_a_key_and_a_value(text):
    """The message shows what was given."""
    with pytest.raises(SpecError, match="KEY=VALUE is needed"):
        parse_override(text)


def test_an_optimizer_refuses_settings_of_another():
    """Adam has no momentum: silence would be a wrong experiment."""
    spec = Spec.from_dict({"training": {"optimizer": "adam", "momentum": 0.9}})
    with pytest.raises(SpecError, match=r"training\.momentum: adam has no such setting"):
        spec.training.make_optimizer()


def test_the_schedule_is_counted_in_epochs():
    """`schedule_epochs` and `max_epochs` become steps once the size of an epoch is known."""
    sgd = {"optimizer": "sgd", "batch_size": 4, "state_at_surgery": "reset"}
    values = {**sgd, "schedule": "step", "schedule_epochs": 3, "schedule_factor": 0.5}
    training = Spec.from_dict({"training": values}).training
    recipe = training.recipe("cross_entropy", seed=1, steps_per_epoch=7, max_epochs=9)
    assert [recipe.schedule.scale(step) for step in (0, 20, 21, 41, 42)] == [1, 1, 0.5, 0.5, 0.25]
    cosine = Spec.from_dict({"training": {**sgd, "schedule": "cosine"}}).training
    schedule = cosine.recipe("cross_entropy", 1, 7, 9).schedule
    assert schedule.scale(0) == 1
    assert schedule.scale(63) == pytest.approx(0)


def test_paths_are_found_from_the_working_directory_or_the_specs_folder(tmp_path, monkeypatch):
    """A spec and the files that it names can lie together, wherever the run is started."""
    folder, elsewhere = tmp_path / "specs", tmp_path / "elsewhere"
    folder.mkdir()
    elsewhere.mkdir()
    for name in ("data.npz", "mine.py", "both.safetensors"):
        (folder / name).touch()
    (elsewhere / "both.safetensors").touch()
    file = folder / "spec.toml"
    file.write_text(
        'plugins = ["mine.py", "missing.py"]\n[data]\nsource = "npz:data.npz"\n'
        '[network]\nfile = "both.safetensors"\n'
    )
    monkeypatch.chdir(elsewhere)
    spec = Spec.from_toml(file)
    assert spec.data.source == f"npz:{folder / 'data.npz'}"
    assert spec.plugins == (str(folder / "mine.py"), "missing.py")
    assert spec.network.file == str(elsewhere / "both.safetensors")


def test_other_sources_are_not_taken_for_paths(tmp_path, monkeypatch):
    """`sklearn:digits` stays what it is, even beside a file called digits."""
    (tmp_path / "digits").touch()
    file = tmp_path / "spec.toml"
    file.write_text('[data]\nsource = "sklearn:digits"')
    monkeypatch.chdir("/")
    assert Spec.from_toml(file).data.source == "sklearn:digits"


@pytest.mark.parametrize("mode", ["reset", "carry"])
def test_what_surgery_does_to_the_optimizer_reaches_the_recipe(mode):
    """`[training] state_at_surgery`."""
    given = {"optimizer": "sgd", "batch_size": 4, "schedule": "constant", "state_at_surgery": mode}
    spec = Spec.from_dict({"training": given})
    assert spec.training.recipe("cross_entropy", 0, 10, 5).state_at_surgery == mode


def test_a_dotted_key_is_a_table_in_a_mapping():
    """Overrides take dotted keys; a spec does not, and says how to write it."""
    with pytest.raises(SpecError, match=r"written as a table: \{'search': \{'max_epochs': …\}\}"):
        Spec.from_dict({"search.max_epochs": 3})
