"""What a workbench in another process, or on another machine, is built from."""

import attrs
from threadpoolctl import threadpool_limits

from nas_surgery.plugins.registry import PluginFile, default_registry, load_registry
from nas_surgery.search.workbench import Workbench
from nas_surgery.training.backend import Backend
from nas_surgery.training.plans import Recipe
from nas_surgery.training.state import Samples
from nas_surgery.training.state_bytes import state_from_bytes


@attrs.frozen(eq=False)
class WorkbenchPlan:
    """Plain values and the data; everything that has a name is found again by it.

    start: bytes of the start network. plugins: single files, as they were read.
    """

    backend: str
    device: str
    recipe: Recipe
    start: bytes
    train: Samples
    validation: Samples
    operations: tuple[str, ...]
    plugins: tuple[PluginFile, ...]
    threads: int

    def bench(self) -> Workbench:
        """The workbench, in a process that is bound to the plan's threads."""
        registry = load_registry(self.plugins) if self.plugins else default_registry()
        backend: Backend = registry.get("backends", self.backend)()
        threadpool_limits(limits=self.threads)  # behind the backend, whose libraries count too
        return Workbench(
            backend,
            self.device,
            self.recipe,
            state_from_bytes(self.start).network,
            self.train,
            self.validation,
            {name: registry.get("operations", name) for name in self.operations},
            registry.origin_of_operation,
        )
