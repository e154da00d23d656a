"""What is wrong with an override is blamed on it, and what is not, is not."""

import pytest

from nas_surgery.errors import DataError, SpecError
from nas_surgery.runs.overrides import OverrideError, blamed


@pytest.mark.parametrize(
    ("text", "overrides", "key"),
    [
        ("search.max_epochs must be a whole number", {"search.max_epochs": 0}, "search.max_epochs"),
        ("unknown key 'search.max_epoch'; did you", {"search.max_epoch": 3}, "search.max_epoch"),
        ("unknown key 'sed'; did you mean 'seed'?", {"sed": 3}, "sed"),
        ("seed must be a whole number ≥ 0", {"seed": -1}, "seed"),
        ("data source 'npz:a.npz': No such file", {"data.source": "npz:a.npz"}, "data.source"),
        ("try another seed", {"seed": 1}, None),
        ("search.max_epochs must be whole", {"search.max_epoch": 3}, None),
        ("unknown key 'search.x'; did you mean", {"search": {}}, None),
        ("training.rho: sgd has no such setting", {"training.optimizer": "sgd"}, None),
    ],
)
def test_an_error_that_names_an_override_is_its_own(text, overrides, key):
    """By the key, or by the text that it was given; else the place is named."""
    place = "spec.toml" if key is None else f"overrides[{key!r}]"
    assert str(blamed(DataError(text), overrides, "spec.toml")) == f"{place}: {text}"


def test_the_kind_of_an_error_stays():
    """An error of the spec becomes one of the override, which is a SpecError; it is blamed once."""
    error = blamed(SpecError("seed must be"), {"seed": -1}, None)
    assert type(error) is OverrideError
    assert blamed(error, {"seed": -1}, "spec.toml") is error
    assert type(blamed(DataError("seed is"), {"seed": -1}, None)) is DataError
    assert str(blamed(DataError("no"), {}, None)) == "no"
