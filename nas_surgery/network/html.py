"""The table of a network's layers as HTML, which notebooks show."""

from collections.abc import Sequence
from html import escape

from nas_surgery.network.summary import NUMBERS, Row


def as_html(rows: Sequence[Row], caption: str) -> str:
    """Rows as a table, the first of them its head and the last its foot."""
    head, *body, foot = (_html_row(row, "th" if row is rows[0] else "td") for row in rows)
    return (
        f"<table><caption>{escape(caption)}</caption><thead>{head}</thead>"
        f"<tbody>{''.join(body)}</tbody><tfoot>{foot}</tfoot></table>"
    )


def _html_row(row: Row, tag: str) -> str:
    cells = (
        f'<{tag} style="text-align: {"right" if i in NUMBERS else "left"}">{escape(cell)}</{tag}>'
        for i, cell in enumerate(row)
    )
    return f"<tr>{''.join(cells)}</tr>"
