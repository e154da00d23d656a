"""`nas-surgery plugins`."""

from typing import TYPE_CHECKING, Any

import click

from nas_surgery.cli.output import as_json, show

if TYPE_CHECKING:
    from nas_surgery.plugins.registry import PluginInfo


@click.command("plugins")
@as_json
def command(as_json: bool) -> None:
    """List what is installed, its version and origin, and what failed to load and why."""
    from nas_surgery.plugins.registry import default_registry

    found = default_registry().plugins
    text = "\n".join(line for info in found for line in _lines(info))
    show(text, {"plugins": [_account(info) for info in found]}, as_json)


def _lines(info: "PluginInfo") -> list[str]:
    failure = [f"  failed to load: {info.error}"] if info.error else []
    kinds = [f"  {kind}: {', '.join(names)}" for kind, names in info.provides.items()]
    return [f"{info.name} {info.version} ({info.origin})", *failure, *kinds]


def _account(info: "PluginInfo") -> dict[str, Any]:
    return {
        "name": info.name,
        "version": info.version,
        "origin": info.origin,
        "provides": {kind: list(names) for kind, names in info.provides.items()},
        "error": info.error,
    }
