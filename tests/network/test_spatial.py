"""Layers with positions against loops in float64 that say what they mean, and their validity rules."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.signal import correlate

from nas_surgery.network import (
    Activation,
    AveragePool,
    BatchNorm,
    Conv,
    ConvTranspose,
    Crop,
    DepthToSpace,
    GlobalAveragePool,
    GlobalMaxPool,
    GroupNorm,
    InstanceNorm,
    MaxPool,
    NetworkError,
    Pad,
    PReLU,
    Resize,
    Scale,
    Select,
    Shift,
    SpaceToDepth,
)
from nas_surgery.testing.convolutional import convolutions
from nas_surgery.testing.layers import Values

seeds = st.integers(0, 99)
ramp = np.arange(6.0).reshape(1, 6, 1)


def windows(layer, x):
    """For each output position its place, and the (place in the window, input position) it looks at."""
    view, positions = layer.windows, x.shape[1:-1]
    pairs = view.pairs(positions)
    for place in product(*map(range, view.counts(positions))):
        starts = [
            i * s - before for i, s, (before, _) in zip(place, view.strides, pairs, strict=True)
        ]
        seen = []
        for tap in product(*map(range, view.size)):
            at = tuple(a + t * d for a, t, d in zip(starts, tap, view.dilations, strict=True))
            if all(0 <= i < n for i, n in zip(at, positions, strict=True)):
                seen.append((tap, at))
        yield place, seen


def convolved(layer, x):
    """A convolution as it is defined: position by position, tap by tap, group by group."""
    y = np.zeros((len(x), *layer.output_shape(x.shape[1:])))
    inner, outer = layer.fan_in // layer.groups, layer.units // layer.groups
    for place, seen in windows(layer, x):
        for (tap, at), group in product(seen, range(layer.groups)):
            reads = x[:, *at, group * inner : (group + 1) * inner]
            part = slice(group * outer, (group + 1) * outer)
            y[:, *place, part] += reads @ layer.kernel[*tap, :, part]
    return y if layer.bias is None else y + layer.bias


@st.composite
def convolved_inputs(draw):
    positions = tuple(draw(st.lists(st.integers(1, 5), min_size=1, max_size=3)))
    values, channels = Values(draw(seeds)), draw(st.integers(1, 4))
    layer = draw(convolutions(positions, channels, values))
    return layer, values.normal(2, *positions, channels)


@given(convolved_inputs())
def test_convolutions_are_what_loops_make_of_them(case):
    """Of any rank, with strides, dilations, groups, and any padding."""
    layer, x = case
    assert np.allclose(layer.forward(x), convolved(layer, x))


def test_a_plain_convolution_is_a_correlation():
    """As SciPy has it, channel by channel."""
    values = Values(0)
    layer, x = Conv(values.normal(3, 2, 2, 3)), values.normal(1, 6, 5, 2)
    found = layer.forward(x)
    for out in range(3):
        parts = (correlate(x[0, ..., i], layer.kernel[..., i, out], mode="valid") for i in range(2))
        assert np.allclose(found[0, ..., out], sum(parts))


def test_memory_of_a_convolution_does_not_grow_with_the_batch(monkeypatch):
    """Few samples at a time give the same, to the last bits."""
    values = Values(1)
    layer, x = Conv(values.normal(3, 3, 2, 4), padding="same"), values.normal(7, 6, 5, 2)
    whole = layer.forward(x)
    monkeypatch.setattr("nas_surgery.network.layers.conv.PATCHES", 1000)
    assert np.allclose(layer.forward(x), whole, rtol=1e-14, atol=1e-14)


@pytest.mark.parametrize(
    ("n", "window", "stride", "pair"),
    [(5, 3, 2, (1, 1)), (6, 3, 2, (0, 1)), (6, 2, 1, (0, 1)), (7, 1, 3, (0, 0)), (4, 4, 1, (1, 2))],
)
def test_same_padding_is_tensorflows(n, window, stride, pair):
    """As many outputs as inputs over the stride, rounded up; the odd zero at the end."""
    layer = Conv(np.ones((window, 1, 1)), strides=stride, padding="same")
    assert layer.windows.pairs((n,)) == (pair,)
    assert layer.output_shape((n, 1)) == (-(-n // stride), 1)


@st.composite
def transposed(draw):
    """A transposed convolution and the convolution whose adjoint it is, with the inputs of both."""
    rank, values = draw(st.integers(1, 2)), Values(draw(seeds))
    numbers = st.lists(st.integers(1, 3), min_size=rank, max_size=rank).map(tuple)
    window, strides, dilations = draw(numbers), draw(numbers), draw(numbers)
    pairs = tuple((draw(st.integers(0, 1)), draw(st.integers(0, 1))) for _ in range(rank))
    more = tuple(
        draw(st.integers(0, max(s, d) - 1)) for s, d in zip(strides, dilations, strict=True)
    )
    kernel = values.normal(*window, 2, 3)
    layer = ConvTranspose(kernel, None, strides, dilations, pairs, more)
    x = values.normal(1, *(draw(st.integers(3, 4)) for _ in range(rank)), 2)
    adjoint = Conv(kernel.swapaxes(-1, -2), None, strides, dilations, pairs)
    return layer, adjoint, x, values


@given(transposed())
def test_a_transposed_convolution_is_the_adjoint_of_a_convolution(case):
    """⟨T x, z⟩ = ⟨x, C z⟩ for every z; what output_padding adds is no more than C leaves over."""
    layer, adjoint, x, values = case
    y = layer.forward(x)
    assert y.shape[1:] == layer.output_shape(x.shape[1:])
    z = values.normal(*y.shape)
    back = adjoint.forward(z)[:, *map(slice, x.shape[1:-1])]
    assert back.shape == x.shape
    assert np.isclose(np.sum(y * z), np.sum(x * back))


def pooled(layer, x, average):
    """A pool as it is defined; explicit padding counts where it says so, what ceil adds never does."""
    y = np.empty((len(x), *layer.output_shape(x.shape[1:])))
    positions, view = x.shape[1:-1], layer.windows
    pairs = view.pairs(positions)
    for place, seen in windows(layer, x):
        values = np.stack([x[:, *at] for _, at in seen])
        if not average:
            y[:, *place] = values.max(axis=0)
            continue
        count = len(seen)
        if layer.count_padding:
            axes = zip(place, view.strides, view.size, pairs, positions, strict=True)
            reach = [(i * s - b, k, b, a, n) for i, s, k, (b, a), n in axes]
            count = np.prod([min(start + k, n + a) - max(start, -b) for start, k, b, a, n in reach])
        y[:, *place] = values.sum(axis=0) / count
    return y


@st.composite
def pools(draw):
    positions = tuple(draw(st.lists(st.integers(2, 6), min_size=1, max_size=3)))
    window = tuple(draw(st.integers(1, n)) for n in positions)
    strides = tuple(draw(st.integers(1, 3)) for _ in positions)
    sides = tuple(
        (draw(st.integers(0, min(2, k - 1))), draw(st.integers(0, min(2, k - 1)))) for k in window
    )
    padding, ceil = draw(st.sampled_from(["same", "valid", sides])), draw(st.booleans())
    x = Values(draw(seeds)).normal(2, *positions, 2)
    if draw(st.booleans()):
        return MaxPool(window, strides, padding, ceil=ceil), x
    return AveragePool(window, strides, padding, ceil, draw(st.booleans())), x


@given(pools())
def test_pools_are_what_loops_make_of_them(case):
    """Of any rank, with strides, any padding, counted or not, and windows over the edge."""
    layer, x = case
    assert np.allclose(layer.forward(x), pooled(layer, x, isinstance(layer, AveragePool)))


@pytest.mark.parametrize(("n", "padding", "count"), [(5, 0, 3), (6, 0, 3), (3, 1, 2), (4, 1, 3)])
def test_a_window_over_the_edge_begins_before_it(n, padding, count):
    """The rule of ONNX and torch: none begins in the padding at the end."""
    assert MaxPool((2,), 2, padding, ceil=True).output_shape((n, 1)) == (count, 1)


def test_pools_of_known_values():
    """A ramp; global pools with and without axes that are kept; NaN stays."""
    assert MaxPool((2,)).forward(ramp).ravel().tolist() == [1, 3, 5]
    assert AveragePool((3,), 1, 1).forward(ramp).ravel().tolist() == [0.5, 1, 2, 3, 4, 4.5]
    assert GlobalAveragePool().forward(ramp).tolist() == [[2.5]]
    assert GlobalMaxPool(keep=True).forward(ramp).tolist() == [[[5.0]]]
    assert np.isnan(MaxPool((2,)).forward(ramp * np.nan)).all()


def test_norms_are_what_loops_make_of_them():
    """By channel over what training measured; by sample and channel or group over positions."""
    values = Values(0)
    x, scale, offset = values.normal(3, 4, 2, 6), values.normal(6), values.normal(6)
    mean, variance = values.normal(6), values.positive(6)
    norm = BatchNorm(mean, variance, scale, offset, epsilon=0.5)
    wanted = (x - mean) / np.sqrt(variance + 0.5) * scale + offset
    assert np.allclose(norm.forward(x), wanted)
    for groups, layer in ((6, InstanceNorm(scale, offset)), (2, GroupNorm(2, scale, offset))):
        wanted, width = np.empty_like(x), 6 // groups
        for i, g in product(range(3), range(groups)):
            part = x[i, ..., g * width : (g + 1) * width]
            wanted[i, ..., g * width : (g + 1) * width] = (part - part.mean()) / np.sqrt(
                part.var() + 1e-5
            )
        assert np.allclose(layer.forward(x), wanted * scale + offset)


def test_weights_of_channels_of_known_values():
    """One for each channel, one for all, and one for each position."""
    x = np.array([[[1.0, -2.0], [3.0, -4.0]]])
    assert Scale([2, 3]).forward(x).tolist() == [[[2, -6], [6, -12]]]
    assert Scale([2]).forward(x).tolist() == [[[2, -4], [6, -8]]]
    assert Shift(np.array([[10.0, 0], [20, 0]])).forward(x).tolist() == [[[11, -2], [23, -4]]]
    assert PReLU([0.5, 0.25]).forward(x).tolist() == [[[1, -0.5], [3, -1]]]


def test_positions_that_are_added_dropped_and_moved():
    """A ramp of six."""
    assert Pad([(1, 2)], value=9).forward(ramp).ravel().tolist() == [9, 0, 1, 2, 3, 4, 5, 9, 9]
    assert Pad([2], "reflect").forward(ramp).ravel().tolist() == [2, 1, 0, 1, 2, 3, 4, 5, 4, 3]
    assert Pad([1], "edge").forward(ramp).ravel().tolist() == [0, 0, 1, 2, 3, 4, 5, 5]
    assert Crop(1, (None,), 2).forward(ramp).ravel().tolist() == [1, 3, 5]
    assert Resize((3,)).forward(ramp).ravel().tolist() == [0, 2, 4]
    assert Resize((12,)).forward(ramp).ravel().tolist() == [i // 2 for i in range(12)]
    two = np.array([0.0, 1.0]).reshape(1, 2, 1)
    middle = [0, 0.25, 0.75, 1]
    assert Resize((4,), "linear", "half_pixel").forward(two).ravel().tolist() == middle
    corners = Resize((3,), "linear", "align_corners").forward(two)
    assert corners.ravel().tolist() == [0, 0.5, 1]
    x = np.array([[[5.0, 6.0, 7.0]]])
    assert Select((2, 0, 0)).forward(x).tolist() == [[[7, 5, 5]]]


@pytest.mark.parametrize("order", ["positions_outer", "channels_outer"])
def test_squares_of_positions_become_channels_and_come_back(order):
    """Each is the inverse of the other; the channels of a square stand as their order says."""
    x = np.arange(48.0).reshape(1, 4, 6, 2)
    deep = SpaceToDepth(2, order).forward(x)
    assert np.array_equal(DepthToSpace(2, order).forward(deep), x)
    corner = [x[0, i, j] for i in (0, 1) for j in (0, 1)]
    wanted = np.array(corner) if order == "positions_outer" else np.array(corner).T
    assert np.array_equal(deep[0, 0, 0], wanted.ravel())


KERNEL = np.ones((3, 3, 2, 4))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Conv(np.ones((2, 3))), r"Conv.kernel needs shape \(window of 1 to 3 axes"),
        (lambda: Conv(np.ones((3, 0, 4))), "Conv.kernel needs shape"),
        (lambda: Conv(KERNEL, np.ones(3)), r"Conv.bias needs shape \(4,\), got \(3,\)"),
        (lambda: Conv(KERNEL, strides=0), "Conv.strides needs whole numbers ≥ 1, got 0"),
        (lambda: Conv(KERNEL, strides=(1, 2, 1)), "Conv.strides needs one number for each of 2"),
        (lambda: Conv(KERNEL, dilations=True), "Conv.dilations needs whole numbers ≥ 1, got True"),
        (lambda: Conv(KERNEL, strides=2**40), "Conv.strides needs whole numbers"),
        (lambda: Conv(KERNEL, padding="full"), 'Conv.padding must be "valid", "same" or numbers'),
        (lambda: Conv(KERNEL, padding=-1), "Conv.padding needs whole numbers ≥ 0, got -1"),
        (lambda: Conv(KERNEL, padding=[(1, 2, 3), 1]), r"Conv.padding needs pairs \(before, after"),
        (lambda: Conv(KERNEL, padding=None), "Conv.padding must be"),
        (lambda: Conv(KERNEL, groups=3), "Conv.groups 3 does not divide the 4 channels"),
        (lambda: Conv(KERNEL, groups=1.5), "Conv.groups needs whole numbers"),
        (lambda: ConvTranspose(KERNEL, padding="same"), "ConvTranspose.padding must be"),
        (lambda: ConvTranspose(KERNEL, output_padding=1), "output_padding must be less than"),
        (lambda: BatchNorm([0.0], [-1.0]), "BatchNorm.variance must not hold negative values"),
        (lambda: BatchNorm([0.0], [1.0, 2.0]), r"BatchNorm.variance needs shape \(1,\), got \(2,"),
        (lambda: BatchNorm([0.0], [1.0], epsilon=0), "BatchNorm.epsilon must be a finite number"),
        (lambda: BatchNorm([0.0], [1.0], momentum=2), r"BatchNorm.momentum must be in \[0, 1\]"),
        (lambda: GroupNorm(0), "GroupNorm.groups needs whole numbers"),
        (lambda: GroupNorm(1, [1.0], [1.0, 2.0]), r"GroupNorm.offset needs shape \(1,\)"),
        (lambda: InstanceNorm(epsilon="x"), "InstanceNorm.epsilon must be a finite number"),
        (lambda: Scale(1.0), r"Scale.scale needs shape \(channels,\) or \(1,\), got \(\)"),
        (lambda: Shift(2.0), "Shift.offset needs shape"),
        (lambda: MaxPool(2), "MaxPool.window needs one number for each of 1 to 3 position axes"),
        (lambda: MaxPool((2,) * 4), "MaxPool.window needs"),
        (lambda: MaxPool((2, 2), padding=2), r"MaxPool.padding must be less than the \(2, 2\)"),
        (lambda: AveragePool((2,), ceil=1), "AveragePool.ceil must be True or False, got 1"),
        (lambda: GlobalMaxPool(keep=None), "GlobalMaxPool.keep must be True or False"),
        (lambda: Pad(1), "Pad.amounts needs an entry for each position axis"),
        (lambda: Pad([1], "wrap"), "Pad.mode must be one of constant, reflect, edge, got 'wrap'"),
        (lambda: Pad([1], "edge", 2), 'Pad.value is for mode "constant"'),
        (lambda: Crop([0], [-1]), "Crop.stops needs whole numbers ≥ 1, got -1"),
        (lambda: Resize((2,), "cubic"), "Resize.mode must be one of nearest, linear, got 'cubic'"),
        (lambda: Resize((2,), rounding="up"), "Resize.rounding must be one of floor"),
        (lambda: Resize(4), "Resize.size needs one number for each"),
        (lambda: Select(()), "Select.indices needs a list of channels"),
        (lambda: Select([0, -1]), "Select.indices needs whole numbers ≥ 0, got -1"),
        (lambda: SpaceToDepth(0), "SpaceToDepth.block needs whole numbers"),
        (lambda: DepthToSpace(2, "torch"), "DepthToSpace.order must be one of positions_outer"),
        (lambda: Activation("relu", alpha=1), "Activation.alpha is none of relu's parameters"),
        (lambda: Activation("elu", alpha="1"), "Activation.alpha must be a finite number, got '1'"),
        (lambda: Activation("celu", alpha=0), "Activation.alpha of celu must be > 0"),
        (lambda: Activation("clip"), "Activation.low or Activation.high is needed by clip"),
        (lambda: Activation("clip", low=2, high=1), "Activation.low 2.0 is above"),
    ],
)
def test_fields_that_are_not_valid_are_refused(make, message):
    """In one line that names layer, field and rule."""
    with pytest.raises(NetworkError, match=message) as caught:
        make()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("layer", "shape", "message"),
    [
        (Conv(KERNEL), (5, 5, 3), r"Conv.kernel \(3, 3, 2, 4\) needs 2 input channels, got .* \(5"),
        (
            Conv(KERNEL),
            (5, 2),
            r"Conv.kernel \(3, 3\) needs inputs of 2 position axes and channels",
        ),
        (Conv(KERNEL), (2, 5, 2), r"Conv.kernel \(3, 3\) spans \(3, 3\) positions, more than"),
        (ConvTranspose(KERNEL), (5, 2), "needs inputs of 2 position axes"),
        (ConvTranspose(KERNEL, padding=2), (1, 5, 2), "leaves nothing of"),
        (BatchNorm(np.ones(3), np.ones(3)), (4, 2), "BatchNorm.mean needs 3 input channels"),
        (GroupNorm(2), (4, 3), "GroupNorm.groups 2 does not divide the channels"),
        (InstanceNorm(), (4,), "InstanceNorm needs inputs of positions and channels"),
        (Scale(np.ones(3)), (4, 2), "Scale.scale needs 3 input channels"),
        (Shift(np.ones((4, 3))), (5, 3), r"Shift.offset of shape \(4, 3\) does not fit inputs"),
        (PReLU(np.ones(3)), (2,), "PReLU.slope needs 3 input channels"),
        (MaxPool((2, 2)), (4, 3), "MaxPool.window .2, 2. needs inputs of 2 position axes"),
        (MaxPool((2,), 1, 1, dilations=3), (2, 1), "leave windows of nothing but padding"),
        (GlobalAveragePool(), (3,), "GlobalAveragePool needs inputs of positions and channels"),
        (Pad([3], "reflect"), (3, 1), "more than a mirror shows"),
        (Crop(0, (9,)), (4, 1), "is not within inputs of shape"),
        (Resize((2, 2)), (4, 1), "Resize.size .2, 2. needs inputs of 2 position axes"),
        (Select((4,)), (3,), "Select.indices name channel 4, which inputs of shape"),
        (SpaceToDepth(2), (3, 4, 1), "SpaceToDepth.block 2 needs two position axes that it"),
        (DepthToSpace(2), (3, 4, 6), "DepthToSpace.block 2 needs two position axes and a multiple"),
    ],
)
def test_inputs_that_do_not_fit_are_refused(layer, shape, message):
    """In one line that names layer, field, rule and shapes."""
    with pytest.raises(NetworkError, match=message) as caught:
        layer.output_shape(shape)
    assert "\n" not in str(caught.value)


def test_multiply_accumulates_of_convolutions():
    """Weights by output positions; of a transposed one by input positions."""
    assert Conv(KERNEL).macs((5, 6, 2)) == 3 * 4 * KERNEL.size
    assert Conv(np.ones((3, 3, 1, 4)), groups=4, padding=1).macs((5, 6, 4)) == 30 * 36
    assert ConvTranspose(KERNEL, strides=2).macs((5, 6, 2)) == 30 * KERNEL.size
