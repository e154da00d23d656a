"""Where pages go: beside the run, or where the user says; nothing that is anybody else's is replaced."""

from os.path import lexists
from pathlib import Path

from nas_surgery.errors import ModelFileError, NasSurgeryError
from nas_surgery.formats.atomic import is_own, write_atomically
from nas_surgery.formats.regular_file import read_regular, size_limit

PAGE = "report.html"
MARK = b'<meta name="generator" content="nas-surgery">'


def check_free(file: Path, force: bool = False) -> None:
    """NasSurgeryError where something is that is no page of ours, unless it may be overwritten."""
    if lexists(file) and not force and not _is_page(file):
        raise NasSurgeryError(f"{file}: is there already; --force overwrites it")


def write_page(page: str, file: Path) -> None:
    """Write a page in one step."""
    write_atomically(file, page.encode())


def _is_page(file: Path) -> bool:
    """Whether a page of ours is there, which a newer one may replace."""
    try:
        return is_own(file) and MARK in read_regular(file, size_limit())[:200]
    except ModelFileError:
        return False
