"""When, with what and where figures were measured."""

import platform
from collections.abc import Iterable
from datetime import UTC, datetime
from importlib import metadata
from typing import Any


def origin(packages: Iterable[str]) -> dict[str, Any]:
    """Date, versions of packages, and of Python."""
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "versions": {name: _version(name) for name in packages},
        "python": platform.python_version(),
    }


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"
