"""What all charts have in common: colours, quiet axes, labels that stand beside what they name."""

from collections.abc import Sequence
from importlib import import_module
from textwrap import fill
from typing import TYPE_CHECKING, Any

from nas_surgery.errors import MissingExtraError
from nas_surgery.network.text import one_line

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Each differs from the others in lightness too, and in the page each is a variable of its own.
INK = "#1c1d21"
MUTED = "#5d6169"
RULE = "#d9dbdf"
OTHER = "#9fa4ad"
WINNER = "#0a58a8"
BASELINE = "#8a4a0c"
PAPER = "#fefefe"
VARIABLES = {
    INK: "ink",
    MUTED: "muted",
    RULE: "rule",
    OTHER: "other",
    WINNER: "winner",
    BASELINE: "baseline",
    PAPER: "paper",
}

PIXEL = 1 / 72  # inches: a point of the drawing is a pixel of the page
TEXT = 12.0
NARROW = 450  # pixels of axes that leave no room beside them
SETTINGS = {
    "font.size": TEXT,
    "font.family": "sans-serif",
    "text.color": INK,
    "text.parse_math": False,
    "svg.fonttype": "none",
    "svg.hashsalt": "nas-surgery",
}


def blank(width: float, height: float) -> "Figure":
    """A figure of so many pixels that no window system knows of."""
    figure: Figure = matplotlib("figure").Figure(figsize=(width * PIXEL, height * PIXEL))
    return figure


Margins = tuple[float, float, float, float]  # left, right, top, bottom, in pixels


def framed(
    width: float,
    height: float,
    margins: Margins,
    heights: Sequence[float] = (1.0,),
    gap: float = 0.0,
) -> tuple["Figure", list["Axes"]]:
    """A figure with axes under each other, of these relative heights, so many pixels apart.

    What stands beside axes is known in advance, and to measure it would take longer than to draw it.
    """
    figure = blank(width, height)
    left, right, top, bottom = margins
    space = (height - top - bottom - gap * (len(heights) - 1)) / sum(heights)
    axes: list[Axes] = []
    for share in heights:
        tall = space * share
        place = (left / width, 1 - (top + tall) / height, 1 - (left + right) / width, tall / height)
        axes.append(figure.add_axes(place, sharex=axes[0] if axes else None))
        top += tall + gap
    return figure, axes


def matplotlib(module: str = "") -> Any:
    """A module of matplotlib; MissingExtraError where it is not installed."""
    try:
        return import_module(f"matplotlib.{module}" if module else "matplotlib")
    except ImportError:
        raise MissingExtraError(
            "charts are drawn by matplotlib; install it: pip install 'nas-surgery[report]'"
        ) from None


def calm(ax: "Axes", *, left: bool = True) -> None:
    """No box and no ticks: a line at the bottom, pale rules where values are read off."""
    for side in ("top", "right", "left"):
        ax.spines[side].set_visible(False)
    ax.spines["bottom"].set_color(RULE)
    ax.tick_params(length=0, colors=MUTED, labelsize=TEXT - 1, pad=4, which="both")
    if left:
        ax.grid(axis="y", color=RULE, linewidth=0.7)
    ax.set_axisbelow(True)


def title(ax: "Axes", text: str, pad: float = 20) -> None:
    """What the vertical axis shows, above it and not beside it."""
    letters = max(20, int(width(ax) / (0.55 * TEXT)))
    ax.set_title(
        fill(text, letters), loc="left", fontsize=TEXT, color=INK, pad=pad, parse_math=False
    )


def below(ax: "Axes", text: str) -> None:
    """What the horizontal axis shows."""
    ax.set_xlabel(text, fontsize=TEXT - 1, color=MUTED, parse_math=False)


def tip(text: str) -> str:
    """The id of an artist that the page turns into a tooltip."""
    return f"tip:{one_line(text)}"


def width(ax: "Axes") -> float:
    """Of the axes, in pixels of the page."""
    return float(ax.get_window_extent().width) / ax.figure.dpi / PIXEL


Label = tuple[float, float, str, str]  # place, words and colour


def label_ends(ax: "Axes", labels: Sequence[Label], *, above: bool) -> None:
    """Names beside the ends of lines, moved apart where they lie close. Where there is no room beside the
    axes they stand inside, above all the ends or below them."""
    if width(ax) < NARROW:
        _label_inside(ax, labels, above)
        return
    own = [ax.transData.transform((x, y))[1] / ax.figure.dpi / PIXEL for x, y, _, _ in labels]
    left, right = ax.get_xlim()
    for (x, y, text, colour), now, place in zip(labels, own, apart(own, TEXT + 3), strict=True):
        end = right if x > right - 0.2 * (right - left) else x
        ax.annotate(
            text, (end, y), (6, place - now), textcoords="offset points", va="center",
            fontsize=TEXT - 1, color=colour, annotation_clip=False, parse_math=False, zorder=7,
        )  # fmt: skip


def _label_inside(ax: "Axes", labels: Sequence[Label], above: bool) -> None:
    ordered = sorted(labels, key=lambda label: label[1], reverse=not above)
    edge = (max if above else min)((label[1] for label in labels), default=0)
    for i, (_, _, text, colour) in enumerate(ordered, start=1):
        rise = i * (TEXT + 3) * (1 if above else -1)
        ax.annotate(
            text, (ax.get_xlim()[1], edge), (0, rise), textcoords="offset points", va="center",
            ha="right", fontsize=TEXT - 1, color=colour, annotation_clip=False, parse_math=False,
            zorder=7, bbox={"facecolor": PAPER, "edgecolor": "none", "pad": 1},
        )  # fmt: skip


def apart(values: Sequence[float], least: float) -> list[float]:
    """Places near the values, in their order, that lie at least so far from each other."""
    order = sorted(range(len(values)), key=lambda i: values[i])
    places = [values[i] for i in order]
    for _ in range(50):
        for i in range(1, len(places)):
            push = (least - (places[i] - places[i - 1])) / 2
            if push > 1e-9 * least:
                places[i - 1], places[i] = places[i - 1] - push, places[i] + push
    found = [0.0] * len(values)
    for i, place in zip(order, places, strict=True):
        found[i] = place
    return found
