"""Runs on tables: what they choose, keep and refuse."""

import numpy as np
import pytest

import nas_surgery as ns
from nas_surgery.data.tables.file import read_encoding
from nas_surgery.errors import DataError, RunError, SpecError


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A working directory with a table, and its spec."""
    monkeypatch.chdir(tmp_path)
    draws = np.random.default_rng(0)
    size, color = draws.random(60), draws.choice(["red", "green"], 60)
    lines = [
        f"{s:.3f},{c},{'big' if s > 0.5 else 'small'}" for s, c in zip(size, color, strict=True)
    ]
    (tmp_path / "t.csv").write_text("\n".join(["size,color,kind", *lines]))
    return tmp_path


def spec(**data):
    """A short run."""
    return {
        "data": {"source": "csv:t.csv", **data},
        "network": {"hidden": [4]},
        "search": {"max_epochs": 2},
    }


def test_the_last_column_is_the_target_unless_one_is_named(here):
    """The spec of the run names it, and so does the summary."""
    result = ns.run(spec(), out="last")
    assert result.summary["data"]["target"] == "kind"
    assert result.summary["classes"] == ["big", "small"]
    assert ns.Spec.from_toml(here / "last/spec.toml").data.target == "kind"
    assert ns.run(spec(target="color")).summary["classes"] == ["green", "red"]
    assert ns.run(spec(target="size")).summary["task"] == "regression"


def test_a_resumed_run_encodes_as_it_began(here):
    """What was measured is read, not measured again; changed data are refused as ever."""
    ns.run(spec(), out="out")
    before = (here / "out/table.json").read_bytes()
    assert ns.resume("out").summary["data"]["target"] == "kind"
    (here / "t.csv").write_text((here / "t.csv").read_text().replace("red", "blue"))
    with pytest.raises(RunError, match=r"data\.sha256 was"):
        ns.resume("out")
    assert (here / "out/table.json").read_bytes() == before
    assert read_encoding(here / "out/table.json").columns[1].categories == ("green", "red")


def test_keys_of_tables_are_not_used_without_one(here):
    """Which is said."""
    arrays = {**spec(target="kind", missing="impute")}
    result = ns.run(arrays, data=(np.random.default_rng(0).random((40, 2)), [0, 1] * 20))
    said = "\n".join(result.summary["warnings"])
    assert "data.target is set and not used" in said
    assert "data.missing is set and not used" in said


def test_other_specs_have_no_keys_of_tables():
    """So that headers of other runs stay as they were."""
    assert not {"target", "missing"} & ns.Spec().to_dict()["data"].keys()


def test_errors_name_the_source_and_the_column(here):
    """In one line."""
    with pytest.raises(DataError, match=r"t\.csv': no column is called 'colour'; did you mean"):
        ns.run(spec(target="colour"))
    with pytest.raises(SpecError, match="missing must be one of 'error', 'impute'"):
        ns.run(spec(missing="drop"))
