"""Readers make up for what is gone: each is fitted anew, from the input to the output.

What destroys a network is less which channels go than that nobody makes up for them. So both networks
are walked side by side over the same samples, and each linear layer whose inputs have changed is fitted
to what it put out before, from what the edited network now gives it. What earlier layers could not make
up for, later ones do.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from math import prod

import attrs
import numpy as np

from nas_surgery.network import (
    Array,
    Layer,
    Network,
    bias_of,
    kernel_of,
    keyed_generator,
    with_weights,
)
from nas_surgery.surgery.normal import Sums, solved
from nas_surgery.surgery.result import Narrowed

ROWS_EACH = 24  # rows to fit to for each column, and
ROWS_MORE = 8192  # so many more, which is ample
CHUNK = 32  # samples at a time
HELD_BACK = 4  # every so many-th sample only chooses the strength of the ridge

Run = Callable[..., Array]  # a layer's outputs from (layer, *inputs)


@attrs.frozen
class Drift:
    """How far a layer's outputs are from those of the original, RMS ÷ RMS of their spread."""

    address: int
    before: float  # by the weights that were left
    after: float  # fitted


def plain(layer: Layer, *xs: Array) -> Array:
    """Inference as the layer defines it."""
    return layer.forward(*xs)


def refitted(
    old: Network,
    new: Network,
    cuts: Mapping[int, Narrowed],
    x: Array,
    *,
    seed: int = 0,
    run: Run = plain,
    told: Callable[[int], None] = lambda _: None,
    only: Collection[int] | None = None,
) -> tuple[Network, tuple[Drift, ...]]:
    """The edited network with readers fitted to samples `x` (N, *input_shape), and what that did.

    old: before surgery; new: the same layers at the same addresses, some of them with fewer channels,
    as `cuts` says. told: is called with the address of each layer that was passed. only: addresses of
    the layers to be fitted, which then get no bias that they did not have; None for all.
    """
    walk = _Walk(old, new, cuts, np.asarray(x, old.dtype), seed, run, only)
    for address in range(len(old.layers) if only is None else max(only, default=-1) + 1):
        walk.step(address)
        told(address)
    changed = {address: (layer,) for address, layer in walk.fitted.items()}
    return new.replace(changed), tuple(walk.drifts)


class _Walk:
    """Both networks' values, as far as they are still to be read."""

    def __init__(
        self,
        old: Network,
        new: Network,
        cuts: Mapping[int, Narrowed],
        x: Array,
        seed: int,
        run: Run,
        only: Collection[int] | None,
    ) -> None:
        self.old, self.new, self.cuts, self.seed, self.run = old, new, cuts, seed, run
        self.only = only
        self.last = {source: i for i, held in enumerate(old.sources) for source in held}
        self.before: dict[int, Array] = {-1: x}
        self.after: dict[int, Array] = {-1: x}
        self.fitted: dict[int, Layer] = {}
        self.drifts: list[Drift] = []

    def step(self, address: int) -> None:
        """A layer's outputs in both networks, the edited one's once it is fitted."""
        sources = self.old.sources[address]
        theirs = [self.before[source] for source in sources]
        ours = [self.after[source] for source in sources]
        layer, edited = self.old.layers[address], self.new.layers[address]
        y = made = self.run(layer, *theirs)
        moved = any(a is not b for a, b in zip(theirs, ours, strict=True))
        wanted = self.only is None or address in self.only
        if moved and wanted and layer.channels.reads and layer.weighs_rows:
            edited = self._fit(address, theirs[0], ours[0], y)
        if moved or edited is not layer:
            made = self.run(edited, *ours)
        self.before[address], self.after[address] = y, made
        for source in set(sources):
            if self.last[source] == address:
                del self.before[source], self.after[source]

    def _fit(self, address: int, theirs: Array, ours: Array, y: Array) -> Layer:
        layer, edited = self.old.layers[address], self.new.layers[address]
        cut = self.cuts.get(address)
        read = np.ones(theirs.shape[-1], bool) if cut is None else cut.inputs[0]
        made = np.ones(y.shape[-1], bool) if cut is None else cut.outputs
        fitted, drift = fit_layer(
            layer,
            edited,
            (theirs, ours, y),
            read,
            made,
            keyed_generator(self.seed, "refit", address),
            biased=self.only is None or bias_of(edited) is not None,
        )
        self.fitted[address] = fitted
        self.drifts.append(attrs.evolve(drift, address=address))
        return fitted


def fit_layer(
    layer: Layer,
    edited: Layer,
    values: tuple[Array, Array, Array],
    read: Array,
    made: Array,
    generator: np.random.Generator,
    *,
    biased: bool = True,
) -> tuple[Layer, Drift]:
    """The edited layer fitted to what the layer put out.

    values: the inputs of the layer, those of the edited one, and the outputs of the layer; read, made:
    masks of the channels of the first and the last that are left. biased: whether it has a bias then.
    """
    kernel = kernel_of(edited).astype(np.float64)
    gates = kernel.shape[1 + len(layer.window) :]
    flat = kernel.reshape(-1, *gates[:-1], gates[-1])
    blocks, changes, offsets = layer.blocks, flat.copy(), []
    size = (len(flat) // blocks, gates[-1] // blocks)
    lost = np.zeros(2)
    pairs = [
        (Sums.empty(size[0], prod(gates) // blocks), Sums.empty(size[0], prod(gates) // blocks))
        for _ in range(blocks)
    ]
    for held_back, rows, targets in _rows(layer, edited, values, made, generator):
        for b, sums in enumerate(pairs):
            mine = rows[:, b * size[0] : (b + 1) * size[0]]
            theirs = targets[..., b * size[1] : (b + 1) * size[1]].reshape(len(rows), -1)
            sums[0].add(mine[~held_back], theirs[~held_back], biased)
            sums[1].add(mine[held_back], theirs[held_back], biased)
    for b, (fit, held) in enumerate(pairs):
        place = (slice(b * size[0], (b + 1) * size[0]), ..., slice(b * size[1], (b + 1) * size[1]))
        prior = flat[place]
        found = solved(fit, held if held.count else fit, [prior.reshape(size[0], -1)])
        changes[place] = found.weights.reshape(prior.shape)
        offsets.append(found.offset.reshape(*gates[:-1], size[1]))
        lost += np.array([found.before, found.after]) ** 2 / blocks
    bias = np.concatenate(offsets, axis=-1)
    new = with_weights(edited, changes.reshape(kernel.shape), bias if biased else None)
    return new, Drift(-1, *np.sqrt(lost).tolist())


def _rows(
    layer: Layer,
    edited: Layer,
    values: tuple[Array, Array, Array],
    made: Array,
    generator: np.random.Generator,
) -> Iterator[tuple[Array, Array, Array]]:
    """Which rows are held back (n,), rows (n, in · window) of the edited layer's inputs, and what the layer
    made there, (n, ..., out)."""
    theirs, ours, y = values
    columns = kernel_of(edited).size // prod(kernel_of(edited).shape[1 + len(layer.window) :])
    chunks = -(-len(ours) // CHUNK)
    for first in range(0, len(ours), CHUNK):
        part = slice(first, first + CHUNK)
        outputs = _linear_outputs(layer, theirs[part], y[part])
        wanted = -(-(ROWS_EACH * columns + ROWS_MORE) // chunks)
        picks = np.arange(len(outputs))
        if wanted < len(picks):
            picks = np.sort(generator.choice(len(picks), wanted, replace=False))
        sample = first + picks // (len(outputs) // len(ours[part]))
        rows = edited.rows(ours[part], picks).astype(np.float64)
        yield sample % HELD_BACK == 1, rows, outputs[picks][..., made].astype(np.float64)


def _linear_outputs(layer: Layer, x: Array, y: Array) -> Array:
    """What the kernel and the bias make of inputs, (rows, ..., out), before anything recurs."""
    if not layer.channels.recurs:
        return y.reshape(-1, y.shape[-1])
    kernel, bias = kernel_of(layer), bias_of(layer)
    made = np.tensordot(layer.rows(x), kernel, axes=1)
    return made if bias is None else made + bias
