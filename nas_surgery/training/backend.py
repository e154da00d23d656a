"""What a backend must do: translate networks, train them, predict with them.

`nas_surgery.testing.BackendConformance` proves that one does it; its messages are the specification.
"""

from abc import ABC, abstractmethod
from typing import Any, ClassVar

from numpy.typing import ArrayLike

from nas_surgery.errors import BackendError
from nas_surgery.network import LAYERS, Array, Network, Shape
from nas_surgery.network.rules import vector_size
from nas_surgery.training.plans import TrainingPlan
from nas_surgery.training.state import Samples, TrainState

TRAIN_ALL = ("torch",)
"""Backends of this repository that train every network; errors of the others name them."""


class Backend(ABC):
    """One way to train. Instances are cheap and hold no state of a run.

    Training takes and returns values of the core: networks and optimizer slots as NumPy arrays. The
    batches, their order and the learning rates come with the plan, so that all backends agree.
    """

    name: ClassVar[str]

    def devices(self) -> tuple[str, ...]:
        """Names of the devices present, the best first."""
        return ("cpu",)

    def device(self, wanted: str) -> str:
        """The device that `wanted` means here ("auto": the best); BackendError lists those present."""
        present = self.devices()
        if wanted == "auto":
            return present[0]
        if wanted not in present:
            raise BackendError(
                f"the {self.name} backend finds no device {wanted!r} here; present: {', '.join(present)}"
            )
        return wanted

    def check(self, network: Network) -> None:
        """Raise BackendError if the network forks or holds a layer that this backend cannot train."""
        self._check_wires(network)
        for address, layer in enumerate(network.layers):
            if layer.needs not in self.layer_kinds:
                raise BackendError(
                    f"layer {address}: the {self.name} backend cannot train a {layer.describe()};"
                    f" it trains {', '.join(sorted(self.layer_kinds))}"
                    f"{self._elsewhere() if layer.kind in LAYERS else ''}"
                )

    def check_training(self, network: Network) -> None:
        """`check`, and NetworkError where the outputs of a sample are no vector, as losses need them."""
        self.check(network)
        vector_size(network.output_shape)

    def _check_wires(self, network: Network) -> None:
        joins = [address for address, layer in enumerate(network.layers) if layer.several]
        if joins and not self.forks:
            raise BackendError(
                f"layer {joins[0]}: the {self.name} backend takes chains of layers, not branches that"
                f" are joined ({type(network.layers[joins[0]]).__name__}); those compute in NumPy"
                f" (Network.predict) and as ONNX{self._elsewhere()}"
            )

    def _elsewhere(self) -> str:
        others = [name for name in TRAIN_ALL if name != self.name]
        return f"; such networks are trained by: {', '.join(others)}" if others else ""

    forks: ClassVar[bool] = False  # whether it trains networks with wires

    layer_kinds: ClassVar[frozenset[str]] = frozenset(
        {"dense", "activation", "flatten", "dropout", "normalize"}
    )

    def place(self, samples: Samples, device: str = "cpu") -> Any:
        """The samples where training wants them; done once per run. What it returns is the backend's own.

        Raises BackendError for a device that is not present.
        """
        self.device(device)
        return samples

    @abstractmethod
    def train(self, state: TrainState, data: Any, plan: TrainingPlan) -> tuple[TrainState, Array]:
        """Train as planned on placed samples.

        Returns the state behind the last step (its slots can be given back to continue bit for bit)
        and the mean loss of each batch before its update, (steps,), in float64. If a loss is NaN or
        infinite, training ends at once or with the part of the epoch, and fewer losses return.
        """

    @abstractmethod
    def predict(self, network: Network, x: Any) -> Array:
        """Logits (N, outputs) of raw inputs (N, *input_shape), or of samples that `place` returned."""

    def to_native(self, network: Network) -> Any:
        """The network as the framework's own model, to be used without this package."""
        raise BackendError(f"the {self.name} backend has no model class of its own")

    def from_native(self, model: Any, input_shape: int | Shape) -> Network:
        """The inverse of `to_native`, compared with what the model computes in inference.

        Raises BackendError for a layer that the IR does not hold, and where the model computes
        anything else.
        """
        raise BackendError(f"the {self.name} backend has no model class of its own")

    def versions(self) -> dict[str, str]:
        """Versions of the packages that its numbers depend on."""
        return {}


def raw_samples(x: ArrayLike) -> Samples:
    """Unlabelled raw inputs as samples, for `predict`."""
    import numpy as np

    array = np.asarray(x)
    return Samples(array, np.zeros(len(array), np.int64))
