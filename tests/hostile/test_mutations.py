"""Fuzzing: whatever is done to a good file, what is loaded is what was saved, or the family of errors."""

import contextlib

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from nas_surgery import load
from nas_surgery.data.sources import read_npz
from nas_surgery.errors import DataFileError, ModelFileError, SpecError, SpecFileError
from nas_surgery.formats.onnx.export import export_onnx
from nas_surgery.formats.safetensors import to_bytes
from nas_surgery.formats.toml import MAX_DEPTH, parse_toml
from nas_surgery.network import Normalize
from nas_surgery.runs.spec import Spec
from nas_surgery.testing.builders import Unbiased, build

NETWORK = build(3, Normalize(np.zeros(3), np.ones(3)), 4, "relu", Unbiased(2), dtype=np.float32)
X, Y = np.arange(60.0).reshape(20, 3), np.arange(20) % 2
SPEC = b'seed = 3\n[data]\nsource = "sklearn:digits"\n[network]\nhidden = [10, 20]\n'


@st.composite
def mutations(draw, content, most=3):
    """The content after some edits: bits flipped, bytes set, cut, put in, doubled or swapped."""
    edited = bytearray(content)
    for _ in range(draw(st.integers(1, most))):
        place = draw(st.integers(0, max(len(edited) - 1, 0)))
        end = min(place + draw(st.integers(1, 32)), len(edited))
        edit = draw(st.sampled_from(["flip", "set", "cut", "delete", "insert", "double", "move"]))
        if edit == "flip" and edited:
            edited[place] ^= 1 << draw(st.integers(0, 7))
        elif edit == "set" and edited:
            edited[place] = draw(st.sampled_from([0, 1, 34, 127, 128, 255]))
        elif edit == "cut":
            del edited[place:]
        elif edit == "delete":
            del edited[place:end]
        elif edit == "insert":
            edited[place:place] = draw(st.binary(min_size=1, max_size=16))
        elif edit == "double":
            edited[end:end] = edited[place:end]
        else:
            piece = edited[place:end]
            del edited[place:end]
            at = draw(st.integers(0, len(edited)))
            edited[at:at] = piece
    return bytes(edited)


def beginnings(*starts):
    """Random bytes, some behind what a file of the kind begins with."""
    return st.builds(bytes.__add__, st.sampled_from([b"", *starts]), st.binary(max_size=200))


SAFETENSORS = to_bytes(NETWORK)
ONNX = export_onnx(NETWORK, {"seed": 1})


def loads_the_same_or_refuses(path, content):
    path.write_bytes(content)
    with contextlib.suppress(ModelFileError):
        assert load(path).equals(NETWORK)


@given(mutations(SAFETENSORS) | beginnings(SAFETENSORS[:9], SAFETENSORS[:300]))
@settings(max_examples=500)
def test_safetensors(tmp_path_factory, content):
    """Header, structure, SHA-256 and weights."""
    loads_the_same_or_refuses(tmp_path_factory.getbasetemp() / "m.safetensors", content)


@given(mutations(ONNX) | beginnings(ONNX[:2], ONNX[:300]))
@settings(max_examples=150)
def test_onnx(tmp_path_factory, content):
    """Fields, graph, initializers and metadata; also those few that reach the C++ parser."""
    loads_the_same_or_refuses(tmp_path_factory.getbasetemp() / "m.onnx", content)


@given(st.data(), st.sampled_from([np.savez, np.savez_compressed]))
@settings(max_examples=400)
def test_npz(tmp_path_factory, data, write):
    """Directory, member headers, npy headers and packed bytes."""
    path = tmp_path_factory.getbasetemp() / "m.npz"
    write(path, x_train=X, y_train=Y)
    good = path.read_bytes()
    path.write_bytes(data.draw(mutations(good) | beginnings(good[:4], good[:60])))
    with contextlib.suppress(DataFileError):
        found = read_npz(str(path))
        assert np.array_equal(found.x, X)
        assert np.array_equal(found.y, Y)


@given(mutations(SPEC, most=6) | beginnings(SPEC[:40]))
@settings(max_examples=400)
def test_spec(tmp_path_factory, content):
    """A spec has no checksum: another one may come out, but a valid one, or the error."""
    path = tmp_path_factory.getbasetemp() / "m.toml"
    path.write_bytes(content)
    with contextlib.suppress(SpecFileError):
        spec = Spec.from_toml(path)
        assert Spec.from_dict(spec.to_dict()) == spec


MARKS = [*"a.[]{}=,\n #'\"\\1", "'''", '"""', "a.b", "= {a", "= ["]
RUNS = [mark * 20 for mark in (".a", "[", "{a=", "]", "}")]
TOML = st.lists(st.sampled_from(MARKS + RUNS), max_size=40).map("".join)


def depth(value):
    if isinstance(value, dict):
        return 1 + max(map(depth, value.values()), default=0)
    return 1 + max(map(depth, value), default=0) if isinstance(value, list) else 0


@given(TOML)
@settings(max_examples=500)
def test_no_depth_is_hidden_from_the_scan(text):
    """Whatever strings and comments it stands behind: a key has few parts, brackets nest little."""
    with contextlib.suppress(SpecError):
        assert depth(parse_toml(text)) <= (MAX_DEPTH + 1) * (MAX_DEPTH + 2)
