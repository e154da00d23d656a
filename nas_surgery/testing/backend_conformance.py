"""What a backend must prove: everything that `nas_surgery.training.backend.Backend` promises."""

from nas_surgery.testing.backend.dropout import Dropouts
from nas_surgery.testing.backend.faults import Faults
from nas_surgery.testing.backend.graphs import Graphs
from nas_surgery.testing.backend.layer_kinds import LayerKinds
from nas_surgery.testing.backend.learning import Learning
from nas_surgery.testing.backend.native import Translation
from nas_surgery.testing.backend.optimizers import Optimizers
from nas_surgery.testing.backend.prediction import Prediction
from nas_surgery.testing.backend.resuming import Resuming
from nas_surgery.testing.backend.surgeries import Surgeries
from nas_surgery.testing.backend.watching import Watching


class BackendConformance(
    Translation,
    Prediction,
    Learning,
    LayerKinds,
    Graphs,
    Optimizers,
    Resuming,
    Watching,
    Surgeries,
    Dropouts,
    Faults,
):
    """Inherit this in a test module and override the fixture `backend`; every test then runs on it.

    What a backend does not offer is declared by the attributes of `BackendSuite`: `device`,
    `float64`, `native_model`, `tolerances`. Results are compared with `Network.forward`, finite
    differences and the NumPy backend, all in float64, scaled by the largest absolute reference.
    """
