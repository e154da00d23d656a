"""What is wrong with `[run.ray]` is said before a cluster is joined."""

import socket
from importlib import metadata

import pytest

import nas_surgery as ns
from nas_surgery.errors import NasSurgeryError
from nas_surgery.plugins.registry import default_registry
from nas_surgery_ray import Ray
from nas_surgery_ray.cluster import connect

SPEC = {"data": {"source": "sklearn:iris"}}


def test_the_entry_point_provides_it():
    """Once installed, it is there by name, and the list of plugins says from where."""
    assert default_registry().owner("executors", "ray").origin == "nas-surgery-ray"
    assert metadata.version("nas-surgery-ray")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


REFUSED = [
    ({"address": f"127.0.0.1:{free_port()}"}, r"run.ray.address: nobody answers at 127.0.0.1:"),
    ({"address": "127.0.0.1:port"}, "run.ray.address: nobody answers at 127.0.0.1:port"),
    ({"address": "ray://127.0.0.1:10001"}, "run.ray.address: .* ray job submit"),
    ({"address": "rubbish"}, "run.ray.address: Invalid address format: rubbish"),
    ({"shared": "/nowhere/at/all"}, "run.ray.shared: /nowhere/at/all is no folder"),
    ({"num_cpus": -1}, "run.ray.num_cpus must be a number ≥ 0, got -1"),
    ({"memory": 1.5}, "run.ray.memory must be a whole number, got 1.5"),
    ({"attempts": 0}, "run.ray.attempts must be a whole number ≥ 1, got 0"),
    ({"gpus": 1}, "unknown key 'run.ray.gpus'; did you mean 'run.ray.num_gpus'"),
]


@pytest.mark.parametrize(("settings", "rule"), REFUSED)
def test_each_refusal_names_the_key_and_the_rule(tmp_path, settings, rule):
    """In one line, and nothing is written."""
    spec = {**SPEC, "run": {"executor": "ray", "ray": settings}}
    with pytest.raises(NasSurgeryError, match=rule) as refusal:
        ns.run(spec, out=tmp_path / "out")
    assert "\n" not in str(refusal.value)
    assert not (tmp_path / "out").exists()


def test_an_address_from_the_environment_is_checked_too(monkeypatch):
    """Ray would wait for minutes."""
    monkeypatch.setenv("RAY_ADDRESS", f"127.0.0.1:{free_port()}")
    with pytest.raises(NasSurgeryError, match="nobody answers at"):
        connect(None)


@pytest.mark.parametrize(
    ("settings", "device", "threads", "needs"),
    [
        (Ray(), "cpu", 1, {"num_cpus": 1, "num_gpus": 0}),
        (Ray(), "cuda", 2, {"num_cpus": 2, "num_gpus": 1}),
        (Ray(num_cpus=0.5, num_gpus=0.25, memory=10**9), "cuda", 2, {"num_cpus": 0.5, "num_gpus": 0.25, "memory": 10**9}),
    ],
)  # fmt: skip
def test_what_a_job_asks_of_its_node_is_explicit(settings, device, threads, needs):
    """As many CPUs as threads and one GPU where there is one, unless the spec says otherwise."""
    assert settings.needs(device, threads) == needs
