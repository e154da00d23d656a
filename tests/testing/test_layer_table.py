"""The table of layers in the documentation is the one that the code gives."""

from pathlib import Path

import pytest

import nas_surgery
from nas_surgery.network import LAYERS
from nas_surgery.plugins.lookup import backend, backends
from nas_surgery.testing import layer_table

REPOSITORY = Path(nas_surgery.__file__).parents[1]


@pytest.mark.skipif(
    not {*layer_table.BACKENDS} <= {*backends()}, reason="needs all backends of the repository"
)
def test_the_documentation_holds_the_table():
    """As it stands there; `python -m nas_surgery.testing.layer_table docs/layers.md` renews it."""
    text = (REPOSITORY / "docs" / "layers.md").read_text(encoding="utf-8")
    assert layer_table.renewed(text) == text


def test_it_has_a_row_for_each_kind_and_a_column_for_each_backend():
    """And says of NumPy's what its `check` does: dense chains, no convolutions, no joins."""
    _, _, *rows = layer_table.layer_table([backend("numpy")]).splitlines()
    cells = {row.split("|")[1].strip(): row.split("|")[4].strip() for row in rows}
    assert len(cells) == len(LAYERS)
    assert (cells["`Dense`"], cells["`Conv`"], cells["`Add`"]) == ("yes", "", "")


def test_what_is_between_the_marks_is_replaced_and_nothing_else():
    """An old table goes; the words around it stay."""
    text = "before\n<!-- layers: begin -->\nold\n<!-- layers: end -->\nafter\n"
    new = layer_table.renewed(text, [backend("numpy")])
    assert new.startswith("before\n")
    assert new.endswith("after\n")
    assert "old\n" not in new
    assert "`Dense`" in new
