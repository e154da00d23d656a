"""Values and templates in, one self-contained page out: everything is escaped that is not ours, and nothing is fetched."""

from base64 import b64encode
from collections.abc import Mapping
from functools import cache
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from nas_surgery.errors import MissingExtraError
from nas_surgery.network.text import printable
from nas_surgery.reports.charts.style import matplotlib
from nas_surgery.reports.figures import PHONE, WIDE, Chart, drawing_style
from nas_surgery.reports.svg import inline
from nas_surgery.reports.tables import Table
from nas_surgery.reports.wording import number, whole

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

TEMPLATES = Path(__file__).parent / "templates"
NEEDED = "the page is made by Jinja; install it: pip install 'nas-surgery[report]'"


@attrs.frozen
class Section:
    """A chart with its title, at two widths, a note on how to read it, and the table behind it, unless that
    stands beside it."""

    name: str
    title: str
    note: str
    wide: "Markup"
    narrow: "Markup"
    table: Table | None


def section(chart: Chart, title: str, note: str, table: Table | None) -> Section:
    """Draw a chart for wide pages and for phones."""
    with drawing_style():
        wide, narrow = (
            _markup(inline(chart.figure(width), f"{chart.name}{width}", chart.told))
            for width in (WIDE, PHONE)
        )
    return Section(chart.name, title, note, wide, narrow, table)


def render(template: str, values: Mapping[str, Any]) -> str:
    """The page; text among the values is escaped, and so is what could not be shown."""
    script = _text("replay.js")
    digest = b64encode(sha256(script.encode()).digest()).decode()
    frame = {
        "style": _markup(_text("page.css")),
        "script": _markup(script),
        "script_hash": f"sha256-{digest}",
    }
    page: str = _environment().get_template(template).render({**frame, **values})
    return page


@cache
def _environment() -> "Environment":
    jinja2 = _jinja()
    environment: Environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
    )
    environment.filters |= {
        "px": lambda value: f"{value:.1f}".removesuffix(".0"),
        "number": number,
        "whole": whole,
        "lower_first": lambda text: text[:1].lower() + text[1:],
    }
    return environment


def _shown(value: Any) -> Any:
    """No character that a page cannot hold; our own markup as it is."""
    return value if hasattr(value, "__html__") or not isinstance(value, str) else printable(value)


def _text(name: str) -> str:
    return (TEMPLATES / name).read_text(encoding="utf-8")


def check_installed() -> None:
    """MissingExtraError if a page could not be made; for those who would learn it too late."""
    matplotlib()
    _jinja()


def _markup(text: str) -> "Markup":
    _jinja()
    markup: Markup = import_module("markupsafe").Markup(text)
    return markup


def _jinja() -> Any:
    try:
        return import_module("jinja2")
    except ImportError:
        raise MissingExtraError(NEEDED) from None
