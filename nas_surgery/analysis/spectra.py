"""What the weights say: singular spectra and removable neurons (eq. 13).

Schiessler, Aydin, Linka, Cyron: Neural network surgery, Neural Networks 144 (2021), section 3.2.
"""

from weakref import WeakKeyDictionary

import attrs
import numpy as np
from scipy import linalg

from nas_surgery.network import Array, Group, Layer, Network, kernel_of, own

EPSILON_RELATIVE = 0.005  # ε₁ of the paper's appendix
EPSILON_ABSOLUTE = 0.3  # ε₂

_spectra: WeakKeyDictionary[Layer, Array] = WeakKeyDictionary()


@attrs.frozen(eq=False)
class LayerAnalysis:
    """One hidden linear layer: `index` i of `hidden_count` h (both 1-based), its n_l `units`, the
    `removable` n_r of them, and its singular values (k,), largest first."""

    address: int
    index: int
    hidden_count: int
    group: Group
    units: int
    removable: int
    singular_values: Array

    @property
    def redundancy(self) -> float:
        """n_r / n_l."""
        return self.removable / self.units

    @property
    def depth(self) -> float:
        """i / h."""
        return self.index / self.hidden_count


@attrs.frozen(eq=False)
class Analysis:
    """The analysis of every hidden linear layer, from the input to the output."""

    layers: tuple[LayerAnalysis, ...]


def analyse(
    network: Network,
    epsilon_relative: float = EPSILON_RELATIVE,
    epsilon_absolute: float = EPSILON_ABSOLUTE,
) -> Analysis:
    """Spectrum and removable neurons of each hidden linear layer."""
    groups = network.groups()
    return Analysis(
        tuple(
            _layer_analysis(network, group, i, len(groups), epsilon_relative, epsilon_absolute)
            for i, group in enumerate(groups, start=1)
        )
    )


def singular_values(layer: Layer) -> Array:
    """Singular values of the kernel as (positions · in, out) in float64, largest first.

    They are computed once per layer object.
    """
    if layer not in _spectra:
        kernel = kernel_of(layer).astype(np.float64)
        _spectra[layer] = own(linalg.svdvals(kernel.reshape(-1, kernel.shape[-1])))
    return _spectra[layer]


def removable_neurons(values: Array, epsilon_relative: float, epsilon_absolute: float) -> int:
    """n_r = |{σ_i : σ_i < ε₁ σ_1 or σ_i < ε₂}| (eq. 13)."""
    small = (values < epsilon_relative * values[0]) | (values < epsilon_absolute)
    return int(small.sum())


def _layer_analysis(
    network: Network, group: Group, index: int, count: int, relative: float, absolute: float
) -> LayerAnalysis:
    address = group.writers[0]
    values = singular_values(network.layers[address])
    removable = removable_neurons(values, relative, absolute)
    return LayerAnalysis(address, index, count, group, group.size, removable, values)
