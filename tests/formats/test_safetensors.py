import contextlib
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load, save

import nas_surgery as ns
from nas_surgery.formats.safetensors import (
    from_bytes,
    from_structure,
    load_safetensors,
    named_arrays,
    structure,
    to_bytes,
)
from nas_surgery.network import Add, Dense, ModelFileError, Network, NetworkError
from nas_surgery.testing.builders import Unbiased, build
from nas_surgery.testing.networks import forked, networks

NETWORK = build(3, 4, "relu", Unbiased(2), dtype=np.float32)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "network.safetensors"


def write(path, network=NETWORK, arrays=None, **changes):
    """A file that may differ from what `to_bytes` would write."""
    described = {**structure(network), **changes}
    metadata = {"nas_surgery": json.dumps(described)}
    path.write_bytes(save(arrays or dict(named_arrays(network)), metadata))


@given(network=networks() | forked(), narrow=st.booleans())
@settings(max_examples=40)
def test_the_round_trip_is_exact(tmp_path_factory, network, narrow):
    """Structure and bits come back, and equal networks give equal bytes."""
    network = network.astype(np.float32) if narrow else network
    path = tmp_path_factory.getbasetemp() / "round_trip.safetensors"
    path.write_bytes(to_bytes(network))
    again = load_safetensors(path)
    assert again.equals(network)
    assert to_bytes(again) == to_bytes(network)
    assert from_bytes(to_bytes(network)).equals(network)


def test_wires_are_written_where_there_are_some():
    """Under a version that readers of chains refuse; files of chains are what they always were."""
    network = Network(2, [Dense(np.eye(2)), Add()], {1: (-1, 0)})
    description = structure(network)
    assert description["format"] == 2
    assert description["wires"] == {"1": [-1, 0]}
    chain = structure(NETWORK)
    assert chain["format"] == 1
    assert set(chain) == {"format", "input_shape", "layers"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"wires": {"1": [-1, 7]}}, "not a valid network: layer 1: Add cannot read layer 7"),
        ({"wires": {"one": [-1, 0]}}, "the structure is damaged"),
        ({"wires": [[1, [-1, 0]]]}, "the structure is damaged"),
        ({"wires": {"0": [-1], "1": [-1, 0]}}, "the structure is damaged: it does not describe"),
        ({"format": 1}, "the structure is damaged: it does not describe"),
    ],
)
def test_damaged_wires_are_refused(changes, message):
    """Those that do not fit, and those that nobody writes."""
    network = Network(2, [Dense(np.eye(2)), Add()], {1: (-1, 0)})
    with pytest.raises(ModelFileError, match=message):
        from_structure({**structure(network), **changes}, named_arrays(network))


def test_arrays_are_plain_safetensors():
    """Other tools can read the weights by their names."""
    arrays = load(to_bytes(NETWORK))
    assert set(arrays) == {"layers.0.kernel", "layers.0.bias", "layers.2.kernel"}
    assert np.array_equal(arrays["layers.0.kernel"], NETWORK.layers[0].kernel)


def test_loaded_arrays_are_read_only(path):
    """A loaded network is as immutable as any."""
    path.write_bytes(to_bytes(NETWORK))
    assert not any(a.flags.writeable for a in named_arrays(load_safetensors(path)).values())


LAYERS = structure(NETWORK)["layers"]
ARRAYS = named_arrays(NETWORK)

DAMAGES = {
    "format": ({"format": 3}, "format version 3 is not 1 or 2"),
    "shape": ({"input_shape": [5]}, "not a valid network: layer 0"),
    "huge shape": ({"input_shape": [2**33, 2**33]}, "not a valid network: layer 0"),
    "bad shape": ({"input_shape": None}, "not a valid network: input_shape"),
    "text for a shape": ({"input_shape": "33"}, "not a valid network"),
    "no layers": ({"layers": []}, "at least one linear layer"),
    "not a list": ({"layers": 3}, "the structure is damaged"),
    "not a layer": ({"layers": ["dense"]}, "the structure is damaged"),
    "kind": ({"layers": [{"kind": "lambda", "arrays": []}]}, "layer 0: unknown kind 'lambda'"),
    "kind of kind": ({"layers": [{"kind": [], "arrays": []}]}, "the structure is damaged"),
    "field": ({"layers": [{**LAYERS[0], "units": 4}]}, "the structure is damaged"),
    "missing array": ({"layers": [*LAYERS, LAYERS[0]]}, "the structure is damaged.*layers.3"),
    "unused array": ({"layers": LAYERS[:2]}, "arrays that no layer owns: layers.2.kernel"),
    "function": (
        {
            "layers": [
                LAYERS[0],
                {"kind": "activation", "arrays": [], "function": "exec"},
                LAYERS[2],
            ]
        },
        "not a valid network: Activation.function 'exec'",
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_structures_are_refused(path, damage):
    """One line that names the file and what is wrong with it."""
    changes, message = DAMAGES[damage]
    write(path, **changes)
    with pytest.raises(ModelFileError, match=message) as caught:
        load_safetensors(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.full((3, 4), np.nan, np.float32), "layer 0: kernel holds NaN"),
        (np.zeros((4, 3), np.float32), r"Dense.bias needs shape \(3,\)"),
        (np.zeros((3, 4, 1), np.float32), "needs shape"),
        (np.zeros((3, 4)), "one dtype per network"),
        (np.zeros((3, 4), np.complex64), "layers.0.kernel: dtype 'C64' is not one of F32, F64"),
    ],
)
def test_damaged_arrays_are_refused(path, array, message):
    """Weights must be finite, and of the shapes and the dtype that the structure needs."""
    write(path, arrays={**ARRAYS, "layers.0.kernel": array})
    with pytest.raises(ModelFileError, match=message):
        load_safetensors(path)


def test_deep_nesting_is_refused(path):
    """A structure nested beyond the parser's depth is an error like any other."""
    metadata = {"nas_surgery": "[" * 200_000 + "]" * 200_000}
    path.write_bytes(save(dict(ARRAYS), metadata))
    with pytest.raises(ModelFileError, match=str(path)):
        load_safetensors(path)


def test_dtypes_that_numpy_does_not_hold_are_refused(path):
    """bfloat16 is valid safetensors, but nothing that a network can be."""
    header = {
        "__metadata__": {
            "nas_surgery": json.dumps(structure(Network(1, [Dense(np.ones((1, 1)))])))
        },
        "layers.0.kernel": {"dtype": "BF16", "shape": [1, 1], "data_offsets": [0, 2]},
    }
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + b"\0\0")
    with pytest.raises(ModelFileError, match=str(path)):
        load_safetensors(path)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0" * 7,
        bytes(64),
        b"\xff" * 64,
        to_bytes(NETWORK)[:-1],
        to_bytes(NETWORK)[:40],
        to_bytes(NETWORK) + b"\0",
        save({"a": np.ones(1)}),
        save({"a": np.ones(1)}, {"nas_surgery": "{"}),
    ],
    ids=[
        "empty",
        "short",
        "zeros",
        "ones",
        "cut",
        "header only",
        "too long",
        "foreign",
        "not JSON",
    ],
)
def test_other_bytes_are_refused(path, content):
    """Truncated, random and foreign files; the error names the file."""
    path.write_bytes(content)
    with pytest.raises(ModelFileError, match=str(path)):
        load_safetensors(path)


def test_a_missing_file_is_an_error_of_ours(path):
    """Also where there is nothing to read, or a directory."""
    with pytest.raises(ModelFileError, match=str(path)):
        load_safetensors(path)
    with pytest.raises(ModelFileError, match=str(path.parent)):
        load_safetensors(path.parent)


@given(st.data())
@settings(max_examples=150)
def test_no_flipped_byte_gives_anything_but_the_same_network_or_the_error(tmp_path_factory, data):
    """Whatever byte is changed, nothing else comes out and no other exception."""
    content = bytearray(to_bytes(NETWORK))
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / "flipped.safetensors"
    path.write_bytes(content)
    with contextlib.suppress(ModelFileError):
        assert load_safetensors(path).equals(NETWORK)


@pytest.mark.parametrize("name", ["a.safetensors", "a.onnx"])
def test_what_could_not_be_read_again_is_not_written(tmp_path, name):
    """Weights that are not finite."""
    network = ns.Network((2,), (ns.Dense(np.array([[np.nan], [1.0]])),))
    with pytest.raises(NetworkError, match="layer 0: kernel holds NaN or infinite values"):
        ns.save(network, tmp_path / name)
    assert not (tmp_path / name).exists()
