"""The process that checks an ONNX file of unknown origin."""

import os
import signal
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest

from nas_surgery.errors import ModelFileError
from nas_surgery.formats.onnx import check as onnx_check
from nas_surgery.formats.onnx.export import export_onnx
from nas_surgery.formats.onnx.reading import check_foreign
from nas_surgery.network import ACTIVATIONS, Activation, Concat, Flatten, Network, Normalize
from nas_surgery.testing.builders import Unbiased, build
from nas_surgery.testing.layers import around, example_layers, joined

GOOD = export_onnx(build(3, 4, "relu", 2))


def test_the_operators_allowed_are_those_that_are_exported():
    """Not one more, and none is missing."""
    first = [Normalize(np.ones(2), np.ones(2)), Unbiased(2), 2, Flatten()]
    networks = [build((3, 2), *first, 3, name, 2) for name in ACTIVATIONS]
    layers = [Concat(), Activation("relu6"), *build(4, 2).layers]
    networks.append(Network(2, layers, {0: (-1, -1)}))
    networks += [around(*example) for example in example_layers()]
    networks += joined().values()
    models = [onnx.ModelProto.FromString(export_onnx(network)) for network in networks]
    exported = {node.op_type for model in models for node in model.graph.node}
    assert exported == onnx_check.OPERATORS


SCRIPTS = {
    "a crash": (f"import os; os.kill(os.getpid(), {signal.SIGSEGV:d})", "ended by signal 11"),
    "an exit": ("import sys; sys.exit(3)", "failed with exit status 3"),
    "a hang": ("import time; time.sleep(60)", "took more than 1 seconds"),
    "a traceback": ("1/0", "failed with exit status 1"),
    "no memory": (
        f"import sys; sys.path.append({str(Path(onnx_check.__file__).parent)!r});"
        " import onnx_check; onnx_check._limit(2**30); bytearray(2**31)",
        "failed with exit status 1",
    ),
    "no answer": ("print('null null')", "gave no answer"),
    "an answer": ("print('\"no\\\\nsuch thing\"')", "no such thing"),
}


@pytest.mark.parametrize("fault", SCRIPTS)
def test_a_check_that_fails_refuses_the_file(tmp_path, monkeypatch, fault):
    """Whatever becomes of the process with the C++ parser, here it is one error."""
    script, message = SCRIPTS[fault]
    file = tmp_path / "check.py"
    file.write_text(script)
    monkeypatch.setattr(onnx_check, "__file__", str(file))
    with pytest.raises(ModelFileError, match=message):
        check_foreign(GOOD, GOOD, seconds=1)


def test_a_check_that_cannot_start_refuses_the_file(monkeypatch):
    """Such as from a program that is no Python."""
    monkeypatch.setattr(sys, "executable", os.devnull)
    with pytest.raises(ModelFileError, match="cannot be started"):
        check_foreign(GOOD, GOOD)
