"""Draws the pictures of this documentation: real surgery on small networks, before and after.

`python docs/making/pictures.py` writes them to docs/pictures, from which the pages and README show them.
"""

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import nas_surgery as ns

PICTURES = Path(__file__).parents[1] / "pictures"
STYLE = {"svg.hashsalt": "nas-surgery", "svg.fonttype": "none", "font.family": "sans-serif"}
PLUS, MINUS, UNIT, NEW, INK = "#2a78d6", "#d6662a", "#9aa3ad", "#1f9d55", "#6b7480"
PROBE = np.random.default_rng(1).normal(size=(200, 4)).astype(np.float32)
EDITS = {
    "identity": {},
    "add_neurons": {"layer": 0, "count": 2, "method": "pairs"},
    "add_layer": {"layer": 0},
    "remove_neurons": {"layer": 0, "count": 2},
    "remove_layer": {"layer": 2},
    "truncated_svd": {"layer": 2, "rank": 1},
    "revive": {"layer": 0},
    "fold_input_centring": {"method": "centre"},
    "add_block": {"layer": 0},
    "remove_block": {"layer": 5},
    "merge_batch_norm": {"layer": 1},
}
TABLES = ("add_block", "remove_block", "merge_batch_norm")  # shown by their layers


def start(name: str) -> ns.Network:
    """Four inputs, two hidden layers and two outputs; for `revive` with two units that are dead."""
    network = ns.Network.dense(4, hidden=(5, 3), outputs=2, activation="relu", seed=3)
    if name == "remove_block":
        return ns.operation("add_block", layer=0)(network, seed=1)
    if name == "merge_batch_norm":
        return network.replace({0: (network.layers[0], normalisation())})
    if name != "revive":
        return network
    first = network.layers[0]
    kernel, bias = first.kernel.copy(), first.bias.copy()
    kernel[:, [1, 3]], bias[[1, 3]] = 0, -1
    return network.replace({0: (ns.Dense(kernel, bias),)})


def normalisation() -> ns.BatchNorm:
    """As training leaves it, for five units."""
    draw = np.random.default_rng(5)
    spread, mean = draw.uniform(0.5, 2, (2, 5)), draw.normal(size=(2, 5))
    return ns.BatchNorm(*(values.astype(np.float32) for values in (mean[0], *spread, mean[1])))


def columns(network: ns.Network) -> tuple[list[int], list[np.ndarray], list[str]]:
    """Sizes of inputs and of what each Dense gives, the kernels between them, and what stands there."""
    sizes, kernels, names = [network.input_shape[0]], [], [""]
    for layer in network.layers:
        if isinstance(layer, ns.Dense):
            sizes.append(layer.kernel.shape[1])
            kernels.append(layer.kernel)
            names.append("")
        else:
            names[-1] = (names[-1] + " " + layer.describe().split()[-1]).strip()
    return sizes, kernels, names


def draw(axes: Axes, network: ns.Network, before: Sequence[int] = (), words: bool = True) -> None:
    """Units as circles, weights as lines: blue above zero, orange below, wider for larger ones."""
    sizes, kernels, names = columns(network)
    rows = [(np.arange(size) - (size - 1) / 2) for size in sizes]
    for x, kernel in enumerate(kernels):
        widest = max(np.abs(kernel).max(), 1e-9)
        for (i, j), weight in np.ndenumerate(kernel):
            shade, width = (PLUS if weight > 0 else MINUS), 2.2 * abs(weight) / widest
            axes.plot([x, x + 1], [rows[x][i], rows[x + 1][j]], color=shade, lw=width, zorder=1)
    for x, ys in enumerate(rows):
        grown = len(before) == len(sizes) and len(ys) > before[x]
        fills = [NEW if grown and i >= before[x] else UNIT for i in range(len(ys))]
        axes.scatter([x] * len(ys), ys, s=70, c=fills, zorder=2, linewidths=0)
        if words:
            axes.annotate(str(len(ys)), (x, -3.9), ha="center", color=INK)
            axes.annotate(names[x], (x, 3.7), ha="center", color=INK, fontsize=8)
    axes.set(xlim=(-0.4, len(sizes) - 0.6), ylim=(-4.3, 4.3))
    axes.axis("off")


def operation(name: str) -> Figure:
    """A network before and after an operation, with what was promised."""
    network = start(name)
    edit = ns.operation(name, **EDITS[name])
    surgery = edit.apply(network, ns.Context(seed=2, probe=PROBE))
    figure = Figure(figsize=(7.2, 2.8), layout="constrained")
    left, right = figure.subplots(1, 2)
    left.set_title("before", color=INK, fontsize=10)
    right.set_title(f"after {edit.describe()}", color=INK, fontsize=8)
    if name in TABLES:
        for axes, shown in ((left, network), (right, surgery.network)):
            axes.text(0, 1, shown.summary(), family="monospace", fontsize=6, va="top", color=INK)
            axes.axis("off")
        return figure
    draw(left, network)
    draw(right, surgery.network, columns(network)[0])
    return figure


def overview() -> Figure:
    """What a search does, with real networks: train, race, go on."""
    begin = ns.Network.dense(4, hidden=(3,), outputs=2, seed=3)
    edits = {
        "as it is": begin,
        "wider": ns.operation("add_neurons", layer=0, count=3, method="split")(begin, seed=1),
        "deeper": ns.operation("add_layer", layer=0, units=1)(begin, seed=1, probe=PROBE),
        "narrower": ns.operation("remove_neurons", layer=0, count=1)(begin, probe=PROBE),
    }
    figure = Figure(figsize=(8.6, 5.4), layout="constrained")
    axes = figure.subplot_mosaic(
        [["train", one, "on"] for one in edits], width_ratios=[1.3, 1, 1.3]
    )
    for name, place in (("train", begin), ("on", edits["wider"])):
        draw(axes[name], place, words=False)
    for name, network in edits.items():
        draw(axes[name], network, words=False)
        axes[name].set_title(name, color=INK, fontsize=9, y=0.95)
    axes["train"].set_title("1  train a network", color=INK)
    axes["as it is"].set_title("2  race versions of it\nas it is", color=INK)
    axes["on"].set_title("3  the best goes on,\nwith its weights; again", color=INK)
    return figure


def save(figure: Figure, path: Path) -> None:
    """As SVG without a date, so that the same picture has the same bytes."""
    with mpl.rc_context(STYLE):
        figure.savefig(path, format="svg", transparent=True, metadata={"Date": None})
    text = path.read_text(encoding="utf-8")
    path.write_text("\n".join(line.rstrip() for line in text.splitlines()) + "\n", "utf-8")


def main() -> None:
    """All of them."""
    PICTURES.mkdir(exist_ok=True)
    for name in EDITS:
        save(operation(name), PICTURES / f"{name}.svg")
    save(overview(), PICTURES / "overview.svg")


if __name__ == "__main__":
    main()
