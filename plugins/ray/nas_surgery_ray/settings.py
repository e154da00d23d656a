"""The keys of `[run.ray]`."""

from os.path import abspath, expanduser
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from nas_surgery.errors import RunError
from nas_surgery.executors import ExecutorSettings, Work
from nas_surgery.validators import number, optional, whole

if TYPE_CHECKING:
    from nas_surgery_ray.executor import RayExecutor


@attrs.frozen
class Ray(ExecutorSettings):
    """`executor = "ray"`.

    address: host:port of the cluster's head, or "local" for a new cluster on this machine; None for
    RAY_ADDRESS, for the cluster that this machine is a node of, or else for a new one. num_cpus, num_gpus,
    memory: what a job asks of its node, memory in bytes; None for as many CPUs as `run.threads`, for one
    GPU where the device is a CUDA one, and for any memory. attempts: how often a job is tried whose worker
    or node dies. shared: a folder that all machines see, through which states of more than `large` bytes
    go as files; None for Ray's object store.
    """

    address: str | None = None
    num_cpus: float | None = attrs.field(default=None, validator=optional(number(minimum=0)))
    num_gpus: float | None = attrs.field(default=None, validator=optional(number(minimum=0)))
    memory: int | None = attrs.field(default=None, validator=optional(whole(1)))
    attempts: int = attrs.field(default=3, validator=whole(1))
    shared: str | None = None
    large: int = attrs.field(default=100_000_000, validator=whole(0))

    def begin(self, module: str) -> None:
        """Join the cluster, which has to be there before anything is written."""
        from nas_surgery_ray.cluster import connect

        if self.folder is not None and not self.folder.is_dir():
            raise RunError(f"run.ray.shared: {self.folder} is no folder")
        connect(self.address)

    def open(self, work: Work) -> "RayExecutor":
        from nas_surgery_ray.cluster import warn_if_too_small
        from nas_surgery_ray.executor import RayExecutor
        from nas_surgery_ray.parcels import Shared

        needs = self.needs(work.elsewhere.device, work.elsewhere.threads)
        warn_if_too_small(needs)
        shared = None if self.folder is None else Shared.of_a_run(self.folder, self.large)
        return RayExecutor(work, needs, self.attempts, shared)

    @property
    def folder(self) -> Path | None:
        """The shared folder, by its absolute path."""
        return None if self.shared is None else Path(abspath(expanduser(self.shared)))

    def needs(self, device: str, threads: int) -> dict[str, Any]:
        """What a job asks of its node, as Ray's options."""
        gpus = float(device.startswith("cuda")) if self.num_gpus is None else self.num_gpus
        cpus = threads if self.num_cpus is None else self.num_cpus
        memory = {} if self.memory is None else {"memory": self.memory}
        return {"num_cpus": cpus, "num_gpus": gpus, **memory}
