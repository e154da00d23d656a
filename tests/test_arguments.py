"""No mistake in a call ends in an error of Python's own: one line says what is taken and what came."""

from pathlib import Path

import numpy as np
import pytest

import nas_surgery as ns
from nas_surgery.errors import ArgumentError, NetworkError
from nas_surgery.operations import AddNeurons, RemoveNeurons
from nas_surgery.plugins.registry import default_registry

NETWORK = ns.Network.dense(4, (3,), 2)
POINT = ns.ParetoPoint(NETWORK, 23, 0.1, 0.9, 0, 1.0)
RESULT = ns.Result(NETWORK, [], {}, (POINT,))
X, Y = np.ones((20, 4), np.float32), np.arange(20) % 2
SHORT = {"search": {"strategy": "paper", "max_epochs": 1}, "data": {"source": "sklearn:iris"}}


class Module:
    """What a model of another framework is to us."""


Module.__module__ = "torch.nn.modules"
WRONG = [
    None,
    5,
    -1,
    2.5,
    True,
    "word",
    "",
    "a\0b",
    b"x",
    Path("p"),
    [],
    [1],
    ["a"],
    (),
    {},
    {"a": 1},
    {1: 2},
    [[1], [1, 2]],
    np.zeros((2, 3)),
    np.array({}),
    np.float32(3),
    Module(),
    object,
    NETWORK,
    RESULT,
]


def fields(name):
    """Arguments with which the operation is made on the network."""
    needed = {"add_neurons": {"count": 1}, "remove_neurons": {"keep": 2}}
    needed["truncated_svd"] = {"rank": 2}
    own = default_registry().get("operations", name).__attrs_attrs__
    return {"layer": 0, **needed.get(name, {})} if "layer" in {f.name for f in own} else {}


ADD, REMOVE = AddNeurons(0, 1), RemoveNeurons(0, 2)
PROBE = {"probe": X, "labels": Y}
CALLS = {
    "run spec": lambda v: ns.run(v) if not isinstance(v, dict) or v else None,
    "run network": lambda v: ns.run(SHORT, network=v) if v is not None else None,
    "run data": lambda v: ns.run(SHORT, data=v) if v is not None else None,
    "run out": lambda v: ns.run({**SHORT, "seed": -1}, out=v),
    "run overrides": lambda v: ns.run({**SHORT, "seed": -1}, overrides=v),
    "run observers": lambda v: ns.run({**SHORT, "seed": -1}, observers=v),
    "run an observer": lambda v: ns.run({**SHORT, "seed": -1}, observers=[v]),
    "resume": ns.resume,
    "resume observers": lambda v: ns.resume("nowhere", observers=v),
    "load": ns.load,
    "save network": lambda v: ns.save(v, "m.safetensors"),
    "save path": lambda v: ns.save(NETWORK, v),
    "save metadata": lambda v: ns.save(NETWORK, "m.onnx", v),
    "save a point": POINT.save,
    "operation": ns.operation,
    "call network": ADD,
    "call seed": lambda v: ADD(NETWORK, seed=v),
    "call probe": lambda v: REMOVE(NETWORK, probe=v),
    "call labels": lambda v: ADD(NETWORK, probe=X, labels=v),
    "call labels alone": lambda v: ADD(NETWORK, labels=v),
    "call targets": lambda v: ADD(NETWORK, probe=X, labels=v, loss="mean_squared_error"),
    "call loss": lambda v: ADD(NETWORK, **PROBE, loss=v),
    "backend": ns.backend,
    "score": ns.score,
    "from_toml": ns.Spec.from_toml,
    "from_dict": ns.Spec.from_dict,
    "from_dict overrides": lambda v: ns.Spec.from_dict({}, v),
    "forward": NETWORK.forward,
    "Network layers": lambda v: ns.Network(4, v),
    "Network shape": lambda v: ns.Network(v, NETWORK.layers),
    "Activation": ns.Activation,
    "Dropout": ns.Dropout,
    **{
        f"dense {key}": lambda v, key=key: ns.Network.dense(**{"input_shape": 4, key: v})
        for key in (
            "input_shape",
            "hidden",
            "outputs",
            "activation",
            "seed",
            "initializer",
            "preprocessing",
            "dropout",
            "dtype",
        )
    },
    **{
        f"{name} {field.name}": lambda v, name=name, key=field.name: ns.operation(
            name, **{**fields(name), key: v}
        )(NETWORK)
        for name, cls in default_registry().all("operations").items()
        for field in cls.__attrs_attrs__
    },
    **{
        f"apply {name}": lambda v, name=name: ns.operation(name, **fields(name)).apply(v)
        for name in default_registry().all("operations")
        if default_registry().owner("operations", name).origin == "built in"
    },
    **{
        f"spec {key}": lambda v, key=key: ns.Spec.from_dict({key: v}) for key in ns.Spec().to_dict()
    },
}


@pytest.mark.parametrize("call", CALLS)
def test_wrong_arguments_are_one_line(call, tmp_path, monkeypatch):
    """Whatever is given, the call is done or refused in one line by an error of the package."""
    monkeypatch.chdir(tmp_path)
    said = []
    for value in WRONG:
        try:
            CALLS[call](value)
        except ns.NasSurgeryError as error:
            said.append(str(error))
    assert said, "nothing was refused"
    assert not [line for line in said if "\n" in line]


NEEDS_NETWORK = {
    "run": lambda v: ns.run(SHORT, network=v),
    "call": ns.operation("add_neurons", layer=0, count=1),
    "save": lambda v: ns.save(v, "m.onnx"),
}


@pytest.mark.parametrize("call", NEEDS_NETWORK)
@pytest.mark.parametrize(
    ("value", "said"),
    [
        (Module(), r'got a Module; nas_surgery\.backend\("torch"\)\.from_native\(model, input_shape\)'),
        ("m.onnx", r"got 'm\.onnx'; nas_surgery\.load reads a file"),
        (Path("m.onnx"), r"; nas_surgery\.load reads a file"),
        (RESULT, r"got a Result; its \.network is one"),
        (POINT, r"its \.network is one"),
        (np.zeros((2, 3)), r"got an array of shape \(2, 3\)$"),
    ],
    ids=["module", "text", "path", "result", "point", "array"],
)  # fmt: skip
def test_where_a_network_is_needed_the_way_to_one_is_said(call, value, said):
    """A module, a path and a Result are one step away from it."""
    with pytest.raises(ArgumentError, match=f"^network must be a Network, .*{said}"):
        NEEDS_NETWORK[call](value)


@pytest.mark.parametrize("call", ["call", "save"])
def test_none_is_no_network(call):
    """And is called so."""
    with pytest.raises(ArgumentError, match="network must be a Network, got None"):
        NEEDS_NETWORK[call](None)


def test_one_hidden_layer_may_be_a_number():
    """In Python and in a spec; anything else that is no list says what is taken."""
    assert ns.Network.dense(4, hidden=5).hidden == (5,)
    assert ns.Spec.from_dict({"network": {"hidden": 5}}).network.hidden == (5,)
    with pytest.raises(ArgumentError, match=r"hidden must be a whole number or a list .* got 2\.5"):
        ns.Network.dense(4, hidden=2.5)
    with pytest.raises(NetworkError, match="positive whole numbers, got 'a'"):
        ns.Network.dense(4, hidden=["a"])


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"observers": print}, r"observers must be a list of functions, got "),
        ({"observers": [print, 5]}, r"observers\[1\] must be a function, got 5"),
        ({"out": 5}, r"out must be a path \(str or Path\), got 5"),
        ({"overrides": ["seed=1"]}, r"overrides must be a mapping, got \['seed=1'\]"),
        ({"overrides": {"seed": -1}}, r"^overrides\['seed'\]: seed must be a whole number"),
        (
            {"overrides": {"search.strategy": "papr"}},
            r"^overrides\['search.strategy'\]: search.str",
        ),
    ],
)
def test_what_else_a_run_takes_is_named(given, said):
    """With what came instead; a wrong override is named as one."""
    with pytest.raises(ns.NasSurgeryError, match=said):
        ns.run(SHORT, **given)


def test_probe_labels_must_fit_the_network():
    """One class for each sample, or one row of targets, where surgery reads them."""
    for labels in (Y[:3], Y + 1, Y / 2, np.eye(2)[Y]):
        with pytest.raises(ArgumentError, match="labels must be 20 classes below 2, one for each"):
            ADD(NETWORK, probe=X, labels=labels)
    with pytest.raises(ArgumentError, match=r"labels must be targets of shape \(20, 2\)"):
        ADD(NETWORK, probe=X, labels=Y, loss="mean_squared_error")
    assert ADD(NETWORK, probe=X, labels=np.eye(2)[Y], loss="mean_squared_error").hidden == (4,)
