"""What the logger `nas_surgery` says of a run: warnings always, and its course to those who ask for it."""

import logging
from typing import Any

from nas_surgery.network.text import one_line
from nas_surgery.plugins.events import Event

logger = logging.getLogger("nas_surgery")


def log_event(event: Event) -> None:
    """Log an event at its level, if it has one.

    WARNING: what is said even to those who do not observe the run. INFO: a line for its start, its end, and
    each network that it goes on with. DEBUG: candidates and epochs.
    """
    level = _level(event)
    if level is not None and logger.isEnabledFor(level):
        logger.log(level, "%s", one_line(TEXTS[event.kind](event.data)))


def _level(event: Event) -> int | None:
    data = event.data
    if event.kind == "job_finished":
        if (data.get("failure") or {}).get("plugin"):
            return logging.WARNING
        return logging.DEBUG if data["purpose"] == "candidate" else logging.INFO
    return LEVELS.get(event.kind)


def _plugin(data: dict[str, Any]) -> str:
    return f"{data.get('plugin', '')} {data['reason']}".strip()


def _repeated(data: dict[str, Any]) -> str:
    return f"job {data['job']} is trained again: its weights are gone or damaged"


def _started(data: dict[str, Any]) -> str:
    spec = data["spec"]
    where = f", {data['directory']}" if data["directory"] else ""
    return (
        f"run started: strategy {spec['search']['strategy']} on {spec['data']['source']},"
        f" seed {spec['seed']}, {spec['training']['backend']} on {data['device']}{where}"
    )


def _epoch(data: dict[str, Any]) -> str:
    job = "baseline" if data["job"] is None else f"job {data['job']}"
    loss = f"training loss {data['training_loss']:.4f}"
    return f"epoch {data['epoch']:.0f}, {job}: {loss}, {data['parameters']:,} parameters"


def _job(data: dict[str, Any]) -> str:
    if "failure" in data:
        failure = data["failure"] or {"reason": "no network", "plugin": None}
        plugin = f"{failure['plugin']}: " if failure.get("plugin") else ""
        return f"job {data['job']} failed: {plugin}{failure['reason']}"
    return (
        f"epoch {data['epoch']:.2f}, job {data['job']}, {data['purpose']}:"
        f" validation loss {data['loss']:.4f}, accuracy {data['accuracy']:.4f},"
        f" {data['parameters']:,} parameters"
    )


def _finished(data: dict[str, Any]) -> str:
    return (
        f"run finished ({data['stopped']}): validation loss {data['loss']['validation']:.4f},"
        f" accuracy {data['accuracy']['validation']:.4f}, {data['parameters']['end']:,} parameters,"
        f" {data['cost']['seconds']:.1f} s"
    )


LEVELS = {
    "warning": logging.WARNING,
    "plugin_failed": logging.WARNING,
    "job_repeated": logging.WARNING,
    "run_started": logging.INFO,
    "run_finished": logging.INFO,
    "run_failed": logging.INFO,  # its caller gets the error
    "epoch": logging.DEBUG,
}
TEXTS = {
    "warning": lambda data: data["text"],
    "plugin_failed": _plugin,
    "job_repeated": _repeated,
    "run_started": _started,
    "run_finished": _finished,
    "run_failed": lambda data: f"run failed: {data['reason']}",
    "epoch": _epoch,
    "job_finished": _job,
}
