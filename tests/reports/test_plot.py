import sys

import numpy as np
import pytest
from matplotlib.figure import Figure

import nas_surgery as ns
from nas_surgery.analysis.spectra import analyse
from nas_surgery.errors import MissingExtraError
from nas_surgery.network import ArgumentError
from nas_surgery.plot import plot_front, plot_history, plot_spectra, plot_topology
from nas_surgery.reports.charts.style import WINNER, apart
from nas_surgery.reports.figures import write_figures

PLOTS = (plot_history, plot_topology, plot_front, plot_spectra)


def axes():
    return Figure().subplots()


def line(ax, colour=WINNER):
    """The data of the solid line of a colour."""
    (found,) = (
        each for each in ax.lines if each.get_color() == colour and each.get_linewidth() == 2
    )
    return np.array(found.get_xdata(), float), np.array(found.get_ydata(), float)


@pytest.mark.parametrize("plot", PLOTS)
def test_the_axes_that_are_given_are_drawn_on_and_returned(done, plot):
    """For a Result, a directory and its name alike, and the figure can be drawn without a warning."""
    for given in (done.result, done.directory, str(done.directory)):
        ax = axes()
        assert plot(given, ax) is ax
        assert ax.has_data() or ax.patches
        ax.figure.canvas.draw()


@pytest.mark.parametrize("what", ["accuracy", "loss"])
def test_the_winner_s_line_is_the_journal_s(done, what):
    """Epochs and values of every job on its way, each at its end."""
    xs, ys = line(plot_history(done.directory, axes(), what=what))
    outcomes = {r["job"]: r for r in done.journal if r["record"] == "outcome"}
    ends = [outcomes[job] for job in done.result.summary["parents"]]
    steps = -(
        -done.journal[0]["data"]["train"] // done.journal[0]["spec"]["training"]["batch_size"]
    )
    for end in ends:
        assert end[what] in ys[np.isclose(xs, end["step"] / steps)]
    assert xs.max() == pytest.approx(ends[-1]["step"] / steps)


def test_spectra_are_those_of_the_weights(done):
    """Of the winner, each ÷ its largest."""
    ax = plot_spectra(done.result, axes())
    drawn = [line.get_ydata() for line in ax.lines if line.get_color() == WINNER]
    layers = analyse(ns.load(done.directory / "winner.safetensors")).layers
    assert len(drawn) == len(layers)
    for values, layer in zip(drawn, layers, strict=True):
        assert np.allclose(values, layer.singular_values / layer.singular_values[0])


def test_without_axes_a_figure_is_made(done):
    """By pyplot, so that notebooks show it."""
    pyplot = pytest.importorskip("matplotlib.pyplot")
    pyplot.switch_backend("agg")
    try:
        assert plot_front(done.result).figure.number in pyplot.get_fignums()
    finally:
        pyplot.close("all")


def test_drawing_leaves_the_user_s_settings_alone(done):
    """Of matplotlib, whose defaults are everybody's."""
    from matplotlib import rcParams

    before = dict(rcParams)
    plot_history(done.result, axes())
    assert dict(rcParams) == before


@pytest.mark.parametrize("given", [None, 3, [], {}])
def test_what_is_no_run_is_refused(given):
    """By what it is."""
    with pytest.raises(ArgumentError, match="a Result or a run directory is needed"):
        plot_history(given, axes())


def test_an_unknown_quantity_is_refused(done):
    """With those that there are."""
    with pytest.raises(ArgumentError, match="accuracy, loss, parameters"):
        plot_history(done.result, axes(), what="acuracy")


def test_without_matplotlib_one_line_says_what_to_install(done, monkeypatch):
    """It is an extra."""
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'nas-surgery\[report\]'"):
        plot_front(done.result)


def test_plot_is_an_attribute_of_the_package():
    """Which comes when it is asked for; others do not."""
    assert ns.plot.plot_history is plot_history
    with pytest.raises(AttributeError, match="no attribute 'plott'"):
        _ = ns.plott


def test_every_chart_is_written_as_svg_and_png(drawn, tmp_path):
    """With text as text, without a clock, and the same bytes each time."""
    files = write_figures(drawn.charts, tmp_path / "one")
    again = write_figures(drawn.charts[-1:], tmp_path / "two")
    names = ("history", "topology", "tree", "front", "ledger", "spectra")
    assert [file.name for file in files] == [f"{n}.{s}" for n in names for s in ("svg", "png")]
    assert [file.read_bytes() for file in files[-2:]] == [file.read_bytes() for file in again]
    for file in files:
        content = file.read_bytes()
        if file.suffix == ".png":
            assert content.startswith(b"\x89PNG")
        else:
            assert b"<text" in content
            assert b"dc:date" not in content


@pytest.mark.parametrize("values", [[1.0, 1.0, 1.0], [3.0, 1.0, 2.9], [0.0, 100.0], []])
def test_labels_are_moved_apart_and_no_further(values):
    """At least as far as asked, in their order, and their middle where it was."""
    places = apart(values, 10.0)
    assert np.argsort(places, kind="stable").tolist() == np.argsort(values, kind="stable").tolist()
    assert all(gap > 9.9 for gap in np.diff(sorted(places)))
    assert sum(places) == pytest.approx(sum(values))
