"""A figure of matplotlib as a part of a page: small, in the page's colours and fonts, with tooltips."""

import re
from io import BytesIO
from typing import TYPE_CHECKING
from xml.etree import ElementTree as Xml

from nas_surgery.network.text import printable
from nas_surgery.reports.charts.style import VARIABLES

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SVG, LINK = "http://www.w3.org/2000/svg", "{http://www.w3.org/1999/xlink}href"
NOTHING = dict.fromkeys(("Creator", "Date", "Format", "Type"))
NUMBERS = re.compile(r"-?\d+\.\d+")
FONT = re.compile(r"font-family:[^;]*;?\s*")
REFERENCE = re.compile(r"url\(#([^)]*)\)|#([A-Za-z][\w-]*)$")
DROPPED = ("width", "height", "version", "clip-path")


def inline(figure: "Figure", name: str, told: str) -> str:
    """The figure as an <svg> element. name: such that ids differ between the figures of a page. told: for
    those who do not see it."""
    content = BytesIO()
    figure.savefig(content, format="svg", metadata=NOTHING, transparent=True)
    root = Xml.fromstring(content.getvalue())
    used = _used(root)
    for element in root.iter():
        _rewrite(element, name, used)
    _prune(root)
    root.set("role", "img")
    root.set("aria-label", printable(told))
    root.set("class", "chart")
    return Xml.tostring(root, encoding="unicode")


def _used(root: Xml.Element) -> set[str]:
    """Ids that something refers to."""
    texts = (value for element in root.iter() for value in element.attrib.values())
    found = (match for text in texts for match in REFERENCE.finditer(text))
    return {match[1] or match[2] for match in found}


def _rewrite(element: Xml.Element, name: str, used: set[str]) -> None:
    element.tag = element.tag.removeprefix(f"{{{SVG}}}")
    _tell(element)
    attributes = dict(element.attrib)
    element.attrib.clear()
    for key, value in attributes.items():
        if key == "id" and value not in used:
            continue
        element.set(key.replace(LINK, "href"), _value(key, value, name))


def _tell(element: Xml.Element) -> None:
    """An id that begins with "tip:" becomes a tooltip."""
    told = element.get("id", "")
    if told.startswith("tip:"):
        title = Xml.Element("title")
        title.text = told.removeprefix("tip:")
        element.insert(0, title)


def _value(key: str, value: str, name: str) -> str:
    if key == "id":
        return f"{name}-{value}"
    if key == LINK:
        return value.replace("#", f"#{name}-")
    value = value.replace("url(#", f"url(#{name}-")
    if key == "style":
        return _style(value)
    return value if key == "viewBox" else NUMBERS.sub(_rounded, " ".join(value.split()))


def _style(value: str) -> str:
    for colour, variable in VARIABLES.items():
        value = value.replace(colour, f"var(--{variable})")
    return FONT.sub("", value)


def _rounded(match: re.Match[str]) -> str:
    return f"{float(match[0]):.1f}".removesuffix(".0")


def _prune(root: Xml.Element) -> None:
    """Leave out what says nothing: sizes that the page decides, style sheets, empty groups, backgrounds."""
    for key in DROPPED:
        root.attrib.pop(key, None)
    for parent in [*root.iter()]:
        for child in [*parent]:
            parent_of_nothing = child.tag == "g" and not len(child) and not child.attrib
            style = child.tag == "style" or (
                child.tag == "defs" and all(c.tag == "style" for c in child)
            )
            if parent_of_nothing or style or child.tag == "metadata":
                parent.remove(child)
            else:
                child.tail = None
        if not (parent.text or "").strip():
            parent.text = None
