"""Depth surgery that is fitted to a probe: what a removed or factored layer did is kept where it matters."""

from collections.abc import Sequence

import attrs
import numpy as np
from scipy import linalg

from nas_surgery.network import (
    Array,
    Group,
    Layer,
    Network,
    Outputs,
    Reader,
    bias_of,
    fan_in,
    kernel_of,
    keyed_generator,
    units,
    with_weights,
)
from nas_surgery.surgery.depth import bypass, in_two
from nas_surgery.surgery.probe import rows_behind, writer_inputs
from nas_surgery.surgery.promise import Promise, approximate, measured
from nas_surgery.surgery.refit import fit_layer
from nas_surgery.surgery.result import Surgery
from nas_surgery.surgery.ridge import ridge

EXACT = 1e-10  # relative change on the probe that float64 cannot tell from none


def fit_into_reader(network: Network, group: Group, probe: Array) -> Surgery:
    """Drop the writer and its activation; ridge least squares from its inputs to the readers' outputs."""
    fits = [_fitted_reader(network, group, reader, probe) for reader in group.readers]
    readers = {reader.address: fit[0] for reader, fit in zip(group.readers, fits, strict=True)}
    error = max(error for _, error in fits)
    surgery = bypass(network, group, readers, fitted_promise(error))
    return attrs.evolve(surgery, predicted=error, probe_passes=2)


def fit_merged(network: Network, group: Group, merged: Surgery, probe: Array) -> Surgery:
    """What `merge_into_reader` made, with each reader fitted to what it put out on the probe."""
    gone = [group.writers[0], *(i for i in group.passers if _goes(network.layers[i]))]
    readers = [(r.address, r.address - sum(i < r.address for i in gone)) for r in group.readers]
    edited, error = readers_fitted(network, merged.network, readers, probe)
    return attrs.evolve(
        merged,
        network=edited,
        promise=fitted_promise(error),
        predicted=error,
        probe_passes=2 * len(group.readers),
    )


def readers_fitted(
    network: Network, edited: Network, readers: Sequence[tuple[int, int]], probe: Array
) -> tuple[Network, float]:
    """The edited network with layers fitted to what they put out on the probe, and the largest error, RMS
    ÷ RMS of the spread. readers: their addresses in the network and in the edited one, in order."""
    error = 0.0
    for address, now in readers:
        values = (_inputs(network, address, probe), _inputs(edited, now, probe))
        old, new = network.layers[address], edited.layers[now]
        if not old.weighs_rows:
            continue
        y = old.forward(values[0])
        masks = np.ones(values[1].shape[-1], bool), np.ones(y.shape[-1], bool)
        generator, biased = keyed_generator(0, "merge", now), bias_of(new) is not None
        fitted, drift = fit_layer(old, new, (*values, y), *masks, generator, biased=biased)
        edited = edited.replace({now: (fitted,)})
        error = max(error, drift.after)
    return edited, error


def _goes(layer: Layer) -> bool:
    return layer.channels.outputs is Outputs.SAME


def _inputs(network: Network, address: int, probe: Array) -> Array:
    return network.forward(probe, stop=network.sources[address][0] + 1)


def factor_on_probe(network: Network, address: int, rank: int, probe: Array) -> Surgery:
    """Two linear layers in place of one: U = W Q (in, r), then Qᵀ (r, out).

    Q holds the leading principal directions of the outputs x W on the probe, so that of all products
    of this rank U Qᵀ changes them least (the SVD of W whitened by the inputs' covariance gives the
    same product). What the mean input loses goes into the bias, if there is one.
    """
    layer = network.layers[address]
    kernel, old = kernel_of(layer).astype(np.float64), bias_of(layer)
    kernel = kernel.reshape(-1, kernel.shape[-1])
    outputs = writer_inputs(network, address, probe) @ kernel
    mean = outputs.mean(axis=0) if old is not None else np.zeros(units(layer))
    values, directions = principal_directions(outputs - mean)
    directions = directions[:, :rank]
    bias = None
    if old is not None:
        bias = old.astype(np.float64) + mean - (mean @ directions) @ directions.T
        outputs = outputs + old
    size = float(linalg.norm(outputs))
    error = float(linalg.norm(values[rank:])) / size if size else 0.0
    edited = in_two(network, address, kernel @ directions, directions.T, bias)
    return Surgery(edited, fitted_promise(error), error, probe_passes=1)


def principal_directions(rows: Array) -> tuple[Array, Array]:
    """Singular values of rows (N, n), largest first, and all n right singular vectors as columns."""
    triangle = linalg.qr(rows, mode="r")[0][: rows.shape[1]]  # spares the large left factor
    values, directions_t = linalg.svd(triangle, full_matrices=True)[1:]
    return values, directions_t.T


def fitted_promise(error: float) -> Promise:
    """The promise for an edit that leaves this relative error on the probe."""
    if error <= EXACT:
        return measured("nothing that the probe reaches is lost")
    return approximate("fitted to the probe")


def _fitted_reader(
    network: Network, group: Group, reader: Reader, probe: Array
) -> tuple[Layer, float]:
    """The reader on the writer's inputs, and the relative error to be expected of its outputs."""
    writer, old = network.layers[group.writers[0]], network.layers[reader.address]
    x = rows_behind(network, group.writers[0] - 1, probe, reader.positions * fan_in(writer))
    z = rows_behind(network, reader.address, probe, units(old))
    moved = bias_of(writer)
    biased = bias_of(old) is not None or (moved is not None and bool(moved.any()))
    fit = ridge(x, z, biased)
    lost = float(linalg.norm(x @ fit.weights + fit.offset - z)) * fit.inflation
    size = float(linalg.norm(z))
    new = with_weights(old, fit.weights, fit.offset if biased else None)
    return new, lost / size if size else 0.0
