"""What an earlier stretch of a run has left, and what becomes of it."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from nas_surgery.errors import ModelFileError
from nas_surgery.formats.atomic import is_own
from nas_surgery.formats.models import save
from nas_surgery.formats.regular_file import read_regular, size_limit
from nas_surgery.formats.strict_json import strict_json
from nas_surgery.runs.result import ParetoPoint

SAME = ("parents", "parameters", "loss")  # two results that agree in these have one winner


def former_summary(file: Path) -> dict[str, Any]:
    """The summary that is there before another is written; empty without one that can be read."""
    try:
        found = strict_json(read_regular(file, size_limit()))
    except (ModelFileError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def reads_of_test_part(former: Mapping[str, Any], summary: Mapping[str, Any]) -> int:
    """How many winners of a run were measured on the test part, with the one of `summary`.

    One, unless a run went on from where it had ended, such as by `max_seconds`.
    """
    before = former.get("test_reads", 0)
    if not isinstance(before, int):
        before = 0
    known = before > 0 and all(former.get(key) == summary[key] for key in SAME)
    return before + (summary["accuracy"]["test"] is not None and not known)


def write_front(
    folder: Path, points: Iterable[ParetoPoint], known: Iterable[Mapping[str, Any]]
) -> None:
    """Write the networks of a front, and remove those of earlier ones: of sizes in what is known, which
    is summaries and records. Whatever else lies in the folder is somebody's."""
    folder.mkdir(exist_ok=True)
    wanted = {_file(folder, point.parameters): point for point in points}
    for file, point in wanted.items():
        save(point.network, file)
    former = {_file(folder, size) for each in known for size in _sizes(each)}
    for file in filter(is_own, former - wanted.keys()):
        file.unlink()


def _file(folder: Path, size: int) -> Path:
    return folder / f"{size}.safetensors"


def _sizes(known: Mapping[str, Any]) -> list[int]:
    points = known.get("pareto")
    entries = [known, *(points if isinstance(points, list) else [])]
    sizes = [entry.get("parameters") for entry in entries if isinstance(entry, dict)]
    return [size for size in sizes if isinstance(size, int)]
