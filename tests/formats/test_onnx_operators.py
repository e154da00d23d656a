"""Operators become layers: files made by hand against onnxruntime's outputs of them."""

import numpy as np
import pytest

from nas_surgery.formats.onnx.importer.reading import Refused, imported
from nas_surgery.formats.onnx.likeness import export_like
from nas_surgery.testing.onnx_files import onnx_file, outputs, run, samples

MASK = np.where(np.tril(np.ones((5, 5))), 0, -np.inf).astype(np.float32)


def whole(*values):
    return np.array(values, np.int64)


IMAGE, SEQUENCE = (3, 8, 7), (5, 6)
HEADS = """q0 = MatMul(x, wq) q1 = Reshape(q0, split) q = Transpose<perm=[0,2,1,3]>(q1)
    k0 = MatMul(x, wk) k1 = Reshape(k0, split) k = Transpose<perm=[0,2,3,1]>(k1)
    v0 = MatMul(x, wv) v1 = Reshape(v0, split) v = Transpose<perm=[0,2,1,3]>(v1)"""
WEIGHTS = {"wq": (6, 6), "wk": (6, 6), "wv": (6, 6), "split": whole(0, 0, 2, 3)}
TOGETHER = "a0 = MatMul(p, v) a1 = Transpose<perm=[0,2,1,3]>(a0) y = Reshape(a1, whole)"
WHOLE = whole(0, 0, 6)

CASES = {
    # dense
    "a Gemm": ("y = Gemm(x, w, b)", (4,), {"w": (4, 3), "b": (3,)}, ["dense"]),
    "a Gemm, transposed and scaled": (
        "y = Gemm<transB=1, alpha=0.5, beta=2.0>(x, w, b)",
        (4,),
        {"w": (3, 4), "b": (1, 3)},
        ["dense"],
    ),
    "MatMul and Add": (
        "t = MatMul(x, w) y = Add(b, t)",
        SEQUENCE,
        {"w": (6, 3), "b": (3,)},
        ["dense"],
    ),
    "Flatten before Gemm": (
        "t = Flatten(x) y = Gemm(t, w, b)",
        (3, 2, 2),
        {"w": (12, 4), "b": (4,)},
        ["flatten", "dense"],
    ),
    # images
    "a convolution": (
        "y = Conv<strides=[2,1], pads=[1,0,2,1]>(x, w, b)",
        IMAGE,
        {"w": (4, 3, 3, 2), "b": (4,)},
        ["conv"],
    ),
    "a convolution padded alike below": (
        'y = Conv<auto_pad="SAME_LOWER", strides=[2,2]>(x, w)',
        IMAGE,
        {"w": (4, 3, 3, 2)},
        ["conv"],
    ),
    "a convolution padded alike above, of groups": (
        'y = Conv<auto_pad="SAME_UPPER", group=3>(x, w)',
        IMAGE,
        {"w": (6, 1, 3, 2)},
        ["conv"],
    ),
    "a transposed convolution": (
        "y = ConvTranspose<strides=[2,2], pads=[1,0,1,1], output_padding=[1,0]>(x, w, b)",
        IMAGE,
        {"w": (3, 4, 3, 3), "b": (4,)},
        ["conv_transpose"],
    ),
    "channels last around a convolution": (
        "a = Transpose<perm=[0,3,1,2]>(x) c = Conv(a, w) y = Transpose<perm=[0,2,3,1]>(c)",
        (8, 7, 3),
        {"w": (4, 3, 3, 2)},
        ["conv"],
    ),
    "one more axis for channels": (
        "a = Unsqueeze(x, one) y = Conv<pads=[1,1]>(a, w)",
        (9,),
        {"w": (4, 1, 3), "one": whole(1)},
        ["conv"],
    ),
    "a bias behind a convolution": (
        "c = Conv(x, w) y = Add(c, b)",
        IMAGE,
        {"w": (4, 3, 3, 2), "b": (4, 1, 1)},
        ["conv"],
    ),
    "pools": (
        """a = MaxPool<kernel_shape=[3,3], strides=[2,2], ceil_mode=1, dilations=[1,1]>(x)
        b = AveragePool<kernel_shape=[2,2], pads=[1,0,0,1], count_include_pad=1>(a)
        y = AveragePool<kernel_shape=[2,2], pads=[1,0,0,1]>(b)""",
        IMAGE,
        {},
        ["max_pool", "average_pool", "average_pool", "dense"],
    ),
    "a mean over positions": (
        "m = ReduceMean<axes=[-1,2], keepdims=0>(x) y = Gemm(m, w)",
        IMAGE,
        {"w": (3, 2)},
        ["global_average_pool", "dense"],
    ),
    "a mean over rows": (
        "y = ReduceMean<axes=[2]>(x)",
        IMAGE,
        {},
        ["average_pool", "dense"],
    ),
    "a sum and a maximum over positions": (
        "a = ReduceMax<axes=[2,3]>(x) b = ReduceSum(x, axes) y = Sub(a, b)",
        IMAGE,
        {"axes": whole(2, 3)},
        ["global_max_pool", "global_average_pool", "scale", "scale", "add", "dense"],
    ),
    "a gate": (
        """g = GlobalAveragePool(x) c = Conv(g, w) s = Sigmoid(c) y = Mul(x, s)""",
        IMAGE,
        {"w": (3, 3, 1, 1)},
        ["global_average_pool", "conv", "activation", "multiply"],
    ),
    "padding": (
        'a = Pad(x, p, five) b = Pad<mode="reflect">(a, p) y = Pad<mode="edge">(b, p)',
        IMAGE,
        {"p": whole(0, 0, 1, 0, 0, 0, 2, 1), "five": np.float32(5)},
        ["pad", "pad", "pad", "dense"],
    ),
    "parts of positions": (
        "y = Slice(x, starts, ends, axes, steps)",
        IMAGE,
        {
            "starts": whole(1, 0),
            "ends": whole(-1, 99),
            "axes": whole(2, 3),
            "steps": whole(2, 3),
        },
        ["crop", "crop", "dense"],
    ),
    "parts of channels": (
        "a, b = Split<axis=1>(x, sizes) y = Concat<axis=1>(b, a)",
        IMAGE,
        {"sizes": whole(1, 2)},
        ["select", "select", "concat", "dense"],
    ),
    "shuffled channels": (
        "a = Reshape(x, s) b = Transpose<perm=[0,2,1,3,4]>(a) c = Reshape(b, t) y = Conv(c, w)",
        (6, 4, 3),
        {"s": whole(0, 2, 3, 4, 3), "t": whole(-1, 6, 4, 3), "w": (2, 6, 1, 1)},
        ["select", "conv"],
    ),
    "resized to nearest": (
        'y = Resize<mode="nearest", coordinate_transformation_mode="asymmetric",'
        ' nearest_mode="floor">(x, , scales)',
        IMAGE,
        {"scales": np.array([1, 1, 2, 2], np.float32)},
        ["resize", "dense"],
    ),
    "resized between": (
        'n = Shape<end=1>(x) s = Concat<axis=0>(n, sizes) y = Resize<mode="linear">(x, , , s)',
        IMAGE,
        {"sizes": whole(3, 5, 9)},
        ["resize", "dense"],
    ),
    "blocks of channels as positions": (
        'a = DepthToSpace<blocksize=2, mode="CRD">(x) y = DepthToSpace<blocksize=2>(a)',
        (32, 2, 3),
        {},
        ["depth_to_space", "depth_to_space", "dense"],
    ),
    # norms
    "BatchNorm": (
        "y = BatchNormalization<momentum=0.8>(x, s, b, m, v)",
        IMAGE,
        {"s": (3,), "b": (3,), "m": (3,), "v": np.array([1, 2, 0.5], np.float32)},
        ["batch_norm", "dense"],
    ),
    "InstanceNorm": (
        "y = InstanceNormalization(x, s, b)",
        IMAGE,
        {"s": (3,), "b": (3,)},
        ["instance_norm", "dense"],
    ),
    "GroupNorm as exporters write it": (
        "a = Reshape(x, s) b = InstanceNormalization(a, one, zero) y = Reshape(b, t)",
        (6, 4, 3),
        {
            "s": whole(0, 2, -1),
            "t": whole(0, 6, 4, 3),
            "one": np.ones(2, np.float32),
            "zero": np.zeros(2, np.float32),
        },
        ["group_norm", "dense"],
    ),
    "LayerNorm": (
        "y = LayerNormalization(x, s, b)",
        SEQUENCE,
        {"s": (6,), "b": (6,)},
        ["layer_norm", "dense"],
    ),
    "factors and offsets by channel": (
        "a = Mul(x, s) b = Div(a, t) c = Sub(b, u) y = PRelu(c, p)",
        IMAGE,
        {"s": (3, 1, 1), "t": np.full((1, 3, 1, 1), 3.0), "u": (3, 1, 1), "p": (3, 1, 1)},
        ["scale", "scale", "shift", "prelu", "dense"],
    ),
    "an offset by position": ("y = Add(x, p)", SEQUENCE, {"p": (1, 5, 6)}, ["shift", "dense"]),
    # functions that are written in several operators
    "GELU in five": (
        """a = Div(x, root) b = Erf(a) c = Add(b, one) d = Mul(x, c) y = Mul(d, half)""",
        (4,),
        {"root": np.float32(2**0.5), "one": np.float32(1), "half": np.float32(0.5)},
        ["activation", "dense"],
    ),
    "SiLU in two": ("a = Sigmoid(x) y = Mul(x, a)", (4,), {}, ["activation", "dense"]),
    "hard swish in four": (
        "a = Add(x, three) b = Clip(a, zero, six) c = Mul(x, b) y = Div(c, six)",
        (4,),
        {"three": np.float32(3), "zero": np.float32(0), "six": np.float32(6)},
        ["activation", "dense"],
    ),
    "Mish in three": (
        "a = Softplus(x) b = Tanh(a) y = Mul(x, b)",
        (4,),
        {},
        ["activation", "dense"],
    ),
    "a function that nobody has a name for": (
        "a = Tanh(x) b = Mul(a, two) y = Add(b, one)",
        (4,),
        {"two": np.float32(2), "one": np.float32(1)},
        ["activation", "scale", "shift", "dense"],
    ),
    "functions with settings": (
        """a = LeakyRelu<alpha=0.3>(x) b = Elu<alpha=0.7>(a) c = HardSigmoid<alpha=0.3, beta=0.4>(b)
        d = Clip(c, low, high) e = Celu<alpha=0.5>(d) y = Selu(e)""",
        (4,),
        {"low": np.float32(-0.2), "high": np.float32(0.7)},
        None,
    ),
    # sequences
    "attention": (
        f"{HEADS} s = MatMul(q, k) t = Div(s, r) p = Softmax(t) {TOGETHER}",
        SEQUENCE,
        {**WEIGHTS, "r": np.float32(1.7), "whole": WHOLE},
        ["dense", "dense", "dense", "attend"],
    ),
    "attention to what stands before": (
        f"{HEADS} s = MatMul(q, k) t = Add(s, mask) p = Softmax(t) {TOGETHER}",
        SEQUENCE,
        {**WEIGHTS, "mask": MASK, "whole": WHOLE},
        ["dense", "dense", "dense", "attend"],
    ),
    "attention with a bias for each head, in letters": (
        f"""{HEADS} s = Einsum<equation="bhld,bhds->bhls">(q, k) t = Add(s, bias) p = Softmax(t)
        {TOGETHER}""",
        SEQUENCE,
        {**WEIGHTS, "bias": (1, 2, 5, 5), "whole": WHOLE},
        ["dense", "dense", "dense", "attend"],
    ),
    "a token before a sequence": (
        "b = Shape<end=1>(x) s = Concat<axis=0>(b, rest) c = Expand(token, s) y = Concat<axis=1>(c, x)",
        SEQUENCE,
        {"token": (1, 1, 6), "rest": whole(1, 6)},
        None,
    ),
    "an LSTM both ways": (
        """a = Transpose<perm=[1,0,2]>(x) h, e = LSTM<hidden_size=3, direction="bidirectional">(a, w, r, b)
        t = Transpose<perm=[2,0,1,3]>(h) y = Reshape(t, s)""",
        SEQUENCE,
        {"w": (2, 12, 6), "r": (2, 12, 3), "b": (2, 24), "s": whole(0, 0, 6)},
        ["lstm", "lstm", "concat"],
    ),
    "the last state of a GRU": (
        """a = Transpose<perm=[1,0,2]>(x) h, e = GRU<hidden_size=3, linear_before_reset=1>(a, w, r, b)
        y = Squeeze(e, zero)""",
        SEQUENCE,
        {"w": (1, 9, 6), "r": (1, 9, 3), "b": (1, 18), "zero": whole(0)},
        ["gru"],
    ),
    "shares of channels inside": (
        "a = Softmax<axis=-1>(x) y = MatMul(a, w)",
        (4,),
        {"w": (4, 2)},
        ["softmax", "dense"],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_operators_become_layers(name):
    """The network gives what onnxruntime gives for the file, has the layers it should have, and its export
    with the file's own face gives the same again."""
    nodes, shape, constants, kinds = CASES[name]
    content = onnx_file(nodes, shape, **constants)
    held, x = imported(content), samples(content)
    (wanted,) = run(content, x)
    np.testing.assert_allclose(outputs(held, x), wanted, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(
        run(export_like(held.network, held.interface), x)[0], wanted, rtol=1e-4, atol=1e-5
    )
    assert kinds is None or [layer.kind for layer in held.network.layers] == kinds


@pytest.mark.parametrize("opset", [9, 11, 13, 18, 22])
def test_opsets_say_the_same_in_different_words(opset):
    """Axes, bounds and amounts are attributes in older opsets and inputs in newer ones."""
    axes = "" if opset >= 18 else "axes=[2,3], "
    constants = {"w": (2, 3, 1, 1), "axes": whole(2, 3)}
    inner = f"ReduceMean<{axes}keepdims=0>" + ("(c, axes)" if opset >= 18 else "(c)")
    content = onnx_file(f"c = Conv(x, w) y = {inner}", IMAGE, opset=opset, **constants)
    x = samples(content)
    np.testing.assert_allclose(outputs(imported(content), x), run(content, x)[0], atol=1e-6)


REFUSED = {
    "an operator that no layer is": (
        "y = Cumulate(x)",
        (4,),
        {},
        r"\(Cumulate\): there is no layer",
    ),
    "means over samples": ("y = ReduceMean<axes=[0]>(x)", (4,), {}, "goes over samples"),
    "means over channels": (
        "c = Conv(x, w) y = ReduceMean<axes=[1]>(c)",
        IMAGE,
        {"w": (4, 3, 1, 1)},
        "ReduceMean.*goes over channels",
    ),
    "channels as positions": (
        "a = Transpose<perm=[0,2,1]>(x) b = MatMul(a, w) y = Add(b, x)",
        (6, 6),
        {"w": (6, 6)},
        "change places",
    ),
    "a quotient of branches": (
        "a = Exp(x) b = Tanh(x) c = MatMul(x, w) y = Div(a, c)",
        (4,),
        {"w": (4, 4)},
        "Div of two branches",
    ),
    "cubic interpolation": (
        'y = Resize<mode="cubic">(x, , scales)',
        IMAGE,
        {"scales": np.array([1, 1, 2, 2], np.float32)},
        "cubic interpolation",
    ),
    "a GRU that resets first": (
        "a = Transpose<perm=[1,0,2]>(x) h, y = GRU<hidden_size=3>(a, w, r)",
        SEQUENCE,
        {"w": (1, 9, 6), "r": (1, 9, 3)},
        "linear_before_reset",
    ),
    "rows by what depends on the input": ("y = Gather(t, x)", (4,), {"t": (3, 3, 3)}, "Gather"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_held_is_named(name):
    """By node, operator and reason."""
    nodes, shape, constants, reason = REFUSED[name]
    with pytest.raises(Refused, match=reason) as refusal:
        imported(onnx_file(nodes, shape, **constants))
    assert refusal.value.reasons[0].node
    assert refusal.value.reasons[0].operator


def test_all_reasons_are_found():
    """What follows an unknown operator is gone through too, and names only what is outside itself."""
    nodes = "a = Cumulate(x) b = Relu(a) c = Whirl(b) y = Gemm(c, w)"
    with pytest.raises(Refused) as refusal:
        imported(onnx_file(nodes, (4,), w=(4, 2)))
    assert [reason.operator for reason in refusal.value.reasons] == ["Cumulate", "Whirl"]


def test_a_fixed_batch_becomes_any():
    """A file that was made for one sample, with that written into its shapes."""
    nodes = "a = Conv(x, w) b = Reshape(a, s) y = Gemm(b, v)"
    content = onnx_file(nodes, IMAGE, batch=1, w=(4, 3, 1, 1), s=whole(1, -1), v=(224, 2))
    held = imported(content)
    x = np.random.default_rng(0).normal(size=(3, *IMAGE)).astype(np.float32)
    wanted = np.concatenate([run(content, x[i : i + 1])[0] for i in range(3)])
    np.testing.assert_allclose(outputs(held, x), wanted, atol=1e-5)
    np.testing.assert_allclose(
        run(export_like(held.network, held.interface), x)[0], wanted, atol=1e-5
    )


def test_dropout_is_kept_for_training():
    """At inference it does nothing."""
    held = imported(
        onnx_file("a = Dropout(x, r) y = Gemm(a, w)", (4,), r=np.float32(0.3), w=(4, 2))
    )
    assert [layer.kind for layer in held.network.layers] == ["dropout", "dense"]
