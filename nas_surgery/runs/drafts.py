"""A first spec for data: what was found stands in its comments, and what has to be said in its keys."""

from typing import Any

import tomli_w

from nas_surgery.network.text import one_line
from nas_surgery.runs.findings import Findings, Inputs

SHOWN = 12  # columns and classes that are told one by one
CHOSEN = "# Scaling, width, optimizer, epochs and all else are chosen to fit the data; what is given stays:"


def draft(found: Findings) -> str:
    """The spec as TOML."""
    comments = [f"# {one_line(line)}" for line in [_head(found), *_columns(found), _labels(found)]]
    tables = [_table("data", _data(found))]
    if found.doubt is not None:
        comments.append(f"# {one_line(found.doubt)}")
        tables.append(_table("training", {"loss": found.loss}))
    more = f"{CHOSEN}\n# [network]\n# hidden = [32]\n# [search]\n# max_epochs = 100\n"
    return "\n".join(["\n".join(comments) + "\n", *tables, more])


def _table(name: str, values: dict[str, Any]) -> str:
    return tomli_w.dumps({name: values})


def _data(found: Findings) -> dict[str, Any]:
    target = {} if found.target is None else {"target": found.target}
    missing = {"missing": "impute"} if found.missing else {}
    return {"source": found.source, **target, **missing}


def _head(found: Findings) -> str:
    if found.target is None:
        return f"{found.source}: {found.rows:,} samples of shape {found.shape}"
    gaps = f"{found.missing:,} missing values" if found.missing else "no missing values"
    return f"{found.source}: {found.rows:,} rows, {len(found.columns)} columns of inputs, {gaps}"


def _columns(found: Findings) -> list[str]:
    lines = [_column(column) for column in found.columns[:SHOWN]]
    rest = len(found.columns) - SHOWN
    return [*lines, f"and {rest} more columns"] if rest > 0 else lines


def _column(column: Inputs) -> str:
    gaps = f", {column.missing:,} missing" if column.missing else ""
    return f"- {column.name}: {column.kind}, {column.different:,} different{gaps}"


def _labels(found: Findings) -> str:
    name = "labels" if found.target is None else f"target {found.target}"
    if not found.classes:
        return f"{name}: a regression"
    counts = [f"{label} ({count:,})" for label, count in found.classes.items()]
    more = ", …" if len(counts) > SHOWN else ""
    return f"{name}: {len(counts)} classes, {', '.join(counts[:SHOWN])}{more}"
