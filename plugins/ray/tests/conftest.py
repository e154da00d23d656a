"""A cluster of two nodes on this machine, one a session. Where Ray or the plugin is not installed, nothing here
is collected."""

from importlib.util import find_spec

import pytest

collect_ignore_glob = [] if find_spec("ray") and find_spec("nas_surgery_ray") else ["test_*.py"]

NODE = {"object_store_memory": 80 * 2**20, "include_dashboard": False}


class Nodes:
    """A head that runs no jobs, and two nodes that run one job each."""

    def __init__(self):
        from ray.cluster_utils import Cluster

        import nas_surgery_ray.cluster  # noqa: F401 (before Ray: no reports of its usage are sent)

        self.cluster = Cluster()
        self.cluster.add_node(num_cpus=0, **NODE)
        self.nodes = [self.cluster.add_node(num_cpus=1, **NODE) for _ in range(2)]

    @property
    def address(self):
        return self.cluster.address

    def kill(self, raylet):
        """Kill the node whose raylet has that process id, and begin another in its place."""
        (node,) = [n for n in self.nodes if _pid(n) == raylet]
        self.cluster.remove_node(node, allow_graceful=False)
        self.nodes.remove(node)
        self.nodes.append(self.cluster.add_node(num_cpus=1, **NODE))


def _pid(node):
    return node.all_processes["raylet"][0].process.pid


@pytest.fixture(scope="session")
def nodes():
    made = Nodes()
    yield made
    made.cluster.shutdown()
