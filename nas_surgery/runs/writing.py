"""The files of a result. Everything is saved before the export is checked: a finding costs nothing."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from nas_surgery.errors import ModelFileError
from nas_surgery.formats.atomic import write_atomically
from nas_surgery.formats.onnx.comparison import compare_onnx
from nas_surgery.formats.onnx.export import export_onnx
from nas_surgery.formats.safetensors import to_bytes
from nas_surgery.network import Array
from nas_surgery.runs.directory import RunDirectory
from nas_surgery.runs.former import write_front
from nas_surgery.runs.settling import Settled
from nas_surgery.search.journal import plain

CHECK_SAMPLES = 64


def write(
    settled: Settled,
    x: Array,
    directory: RunDirectory | None,
    records: Iterable[Mapping[str, Any]],
) -> dict[str, Any]:
    """Write front, winner and summary, then export the winner and check it on raw inputs `x`.

    records: of the journal, which know whose files the front's are. Without a directory nothing is
    written. Returns the whole summary.
    """
    summary = {**settled.summary, "onnx_difference": None, "onnx_warning": None}
    if directory is not None:
        write_front(directory.pareto, settled.points, [settled.former, *records])
        write_atomically(directory.winner, to_bytes(settled.network))
        _write_summary(directory, summary)
    summary |= _export(settled, x[:CHECK_SAMPLES], directory)
    if directory is not None:
        _write_summary(directory, summary)
    return summary


def _export(settled: Settled, sample: Array, directory: RunDirectory | None) -> dict[str, Any]:
    """Write the winner as ONNX and check it; what the summary says of it."""
    try:
        content = export_onnx(settled.network, plain(settled.metadata))
        if directory is not None:
            write_atomically(directory.onnx, content)
        checked = compare_onnx(content, settled.network, sample)
    except ModelFileError as error:
        return {"onnx_difference": None, "onnx_warning": f"winner.onnx: {error}"}
    warning = f"winner.onnx: {checked}" if checked.beyond else None
    return {"onnx_difference": checked.difference, "onnx_warning": warning}


def _write_summary(directory: RunDirectory, summary: Mapping[str, Any]) -> None:
    text = json.dumps(plain(summary), indent=2, ensure_ascii=False) + "\n"
    write_atomically(directory.summary, text.encode())
