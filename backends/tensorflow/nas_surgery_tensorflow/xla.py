"""Where compiling with XLA pays.

XLA's numbers differ in their last bits from those of TensorFlow's own kernels. So the choice must not
depend on how much training is still to come, or where it is cut: it depends on the topology and on
how many updates it has had since its optimizer was new, which a `TrainState` carries. As in the
ski-rental problem, a topology trains without compiling until the time that XLA would have saved comes
to what compiling costs: at worst twice the price of knowing the future. TensorFlow keeps what XLA has
compiled until the process ends (2.5 MB each): another reason to compile survivors only.
"""

from math import inf

from nas_surgery.network import Network

CPU_UPDATES = 2**14
"""Compiling takes about 0.5 s and saves 20 to 40 µs of a step."""

GPU_UPDATES = 2**12
"""An estimate: compiling takes longer there, and saves more, since steps are bound by launches."""

SMALL_KERNEL = 2**15
"""On the CPU, XLA is faster only where no kernel has more weights: only there do calls, not products,
bind a step."""


def updates_before_xla(network: Network, device: str) -> float:
    """After how many updates the network's training is compiled with XLA; infinite for never."""
    if device != "cpu":
        return GPU_UPDATES
    largest = max(array.size for array in network.parameters().values())
    return CPU_UPDATES if largest <= SMALL_KERNEL else inf
