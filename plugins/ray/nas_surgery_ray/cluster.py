"""Joining a Ray cluster, without what Ray would do to the program beside."""

import logging
import os
import signal
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from nas_surgery.errors import RunError

os.environ.setdefault("RAY_DEDUP_LOGS_SKIP_REGEX", ".*")  # else remarks of nodes go to stdout
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # of a cluster that is begun here

import ray

SECONDS = 10  # to wait for a head that does not answer; Ray itself waits for minutes
RESOURCES = {"num_cpus": "CPU", "num_gpus": "GPU", "memory": "memory"}


def connect(address: str | None) -> None:
    """Join a cluster, or begin one on this machine; RunError if that cannot be.

    It is left when the process ends: to join costs about a second, and a process may have many runs.
    """
    if ray.is_initialized():
        _check_joined(address)
        return
    _check_answers(address or os.environ.get("RAY_ADDRESS"))
    try:
        with _sigterm_kept():
            ray.init(
                address, logging_level=logging.ERROR, log_to_driver=False, include_dashboard=False
            )
    except (OSError, ValueError, RuntimeError) as error:
        raise _refusal(str(error).partition("\n")[0]) from None


def warn_if_too_small(needs: Mapping[str, float]) -> None:
    """Say so where no node can run a job now; jobs wait for one, as an autoscaler may begin it."""
    wanted = {RESOURCES[option]: amount for option, amount in needs.items()}
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    if not any(all(node.get(k, 0) >= v for k, v in wanted.items()) for node in nodes):
        asked = ", ".join(f"{amount:g} {name}" for name, amount in wanted.items())
        logging.getLogger("nas_surgery").warning(
            "no node of the cluster has what a job asks for (%s); jobs wait for one", asked
        )


def _check_joined(address: str | None) -> None:
    here = ray.get_runtime_context().gcs_address
    if address not in (None, "auto", "local", here):
        raise _refusal(f"this process has joined the cluster at {here} already")


def _check_answers(address: str | None) -> None:
    if address is None or ":" not in address:
        return
    if "://" in address:
        raise _refusal(
            f"{address}: a run has to be on a machine of the cluster; send it there with ray job submit"
        )
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), SECONDS).close()
    except (OSError, ValueError, OverflowError) as error:
        raise _refusal(f"nobody answers at {address}: {error}") from None


def _refusal(reason: str) -> RunError:
    return RunError(f"run.ray.address: {reason}")


@contextmanager
def _sigterm_kept() -> Iterator[None]:
    """Ray puts its own handler of SIGTERM in the place of the program's."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
