"""What is read from a torch model is what it computes: shared modules, hooks, computed weights."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, prune

from nas_surgery import Flatten, Normalize
from nas_surgery.errors import BackendError
from nas_surgery.network import Dense
from nas_surgery.testing.builders import build
from nas_surgery.testing.oracles import assert_close
from nas_surgery_torch.train import TorchBackend

BACKEND = TorchBackend()


def chain():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 3))


def read_and_compare(model):
    """The network that is read, after it was seen to compute what the model does."""
    x = torch.randn(20, 4, generator=torch.Generator().manual_seed(1))
    network = BACKEND.from_native(model, 4)
    with torch.no_grad():
        assert_close(network.forward(x), model.eval()(x), 1e-6, "logits")
    return network


def test_modules_that_stand_twice_are_read_twice():
    """A shared linear layer and a shared activation."""
    shared, relu = nn.Linear(4, 4), nn.ReLU()
    network = read_and_compare(nn.Sequential(shared, relu, nn.Sequential(shared, relu), shared))
    assert [layer.kind for layer in network.layers] == ["dense", "activation"] * 2 + ["dense"]


def old_weight_norm(layer):
    with pytest.warns(FutureWarning):
        nn.utils.weight_norm(layer)


COMPUTED = {
    "prune": lambda layer: prune.l1_unstructured(layer, "weight", 0.5),
    "weight_norm": old_weight_norm,
    "spectral_norm": nn.utils.spectral_norm,
    "parametrized weight_norm": parametrizations.weight_norm,
    "parametrized spectral_norm": parametrizations.spectral_norm,
    "orthogonal": parametrizations.orthogonal,
}


@pytest.mark.parametrize("kind", COMPUTED)
def test_weights_that_are_computed_are_read_as_they_are_used(kind):
    """Also right behind an optimizer's step, when the attribute `weight` is still that of before."""
    model = chain()
    COMPUTED[kind](model[0])
    optimizer = torch.optim.SGD(model.parameters(), 0.5)
    model(torch.ones(5, 4)).square().sum().backward()
    optimizer.step()
    read_and_compare(model)


def test_hooks_that_change_nothing_are_no_obstacle():
    """A hook that only looks on."""
    model, seen = chain(), []
    model[1].register_forward_hook(lambda module, args, output: seen.append(output.shape))
    read_and_compare(model)
    assert seen


@pytest.mark.parametrize("place", ["model[1]", "model"])
@pytest.mark.parametrize("kind", ["before", "behind"])
def test_hooks_that_change_what_is_computed_are_refused(place, kind):
    """Of a module or of the whole; the error says which."""
    model = chain()
    module = model if place == "model" else model[1]
    if kind == "before":
        module.register_forward_pre_hook(lambda module, args: (args[0] + 1,))
    else:
        module.register_forward_hook(lambda module, args, output: output * 2)
    with pytest.raises(BackendError, match="computes something else than was read") as caught:
        BACKEND.from_native(model, 4)
    assert str(caught.value).startswith(f"{place}{' as a whole' * (place == 'model')}: ")


def test_a_global_hook_that_changes_something_is_refused():
    """The first module that differs is named."""
    register = nn.modules.module.register_module_forward_hook
    handle = register(
        lambda module, args, output: output + 1 if isinstance(module, nn.ReLU) else None
    )
    try:
        with pytest.raises(BackendError, match=r"model\[1\]: computes something else"):
            BACKEND.from_native(chain(), 4)
    finally:
        handle.remove()


def test_gradient_hooks_are_no_part_of_the_function():
    """The network computes the same without them."""
    model = chain()
    model[0].register_full_backward_hook(lambda module, back, gradient: None)
    read_and_compare(model)


def test_a_forward_pass_of_its_own_is_refused():
    """Put onto one instance, its type does not show it."""
    model = chain()
    model[2].forward = lambda x: x[:, :3]
    with pytest.raises(BackendError, match=r"model\[2\]: computes something else"):
        BACKEND.from_native(model, 4)


def test_a_hook_that_fails_is_an_error_of_ours():
    """In one line that says where."""

    def fail(module, args):
        raise ValueError("first line\nsecond line")

    model = chain()
    model[0].register_forward_pre_hook(fail)
    with pytest.raises(BackendError, match=r"^model: fails on inputs .*: first line$"):
        BACKEND.from_native(model, 4)


def test_reading_leaves_the_model_as_it_was():
    """Modes of single modules and gradients included."""
    model = chain().train()
    model[0].eval()
    model(torch.ones(2, 4)).sum().backward()
    before = [parameter.grad.clone() for parameter in model.parameters()]
    BACKEND.from_native(model, 4)
    assert [module.training for module in model.modules()] == [True, False, True, True]
    for parameter, gradient in zip(model.parameters(), before, strict=True):
        assert torch.equal(parameter.grad, gradient)


def test_weights_that_are_not_there_are_refused():
    """A model on the device meta."""
    with pytest.raises(BackendError, match="meta"):
        BACKEND.from_native(nn.Linear(3, 2, device="meta"), 3)


WITHOUT_US = """
import sys
class Absent:
    def find_spec(self, name, *_):
        if name.startswith("nas_surgery"):
            raise ImportError(name)
sys.meta_path.insert(0, Absent())
import torch
model = torch.load(sys.argv[1], weights_only=False)
x, logits = torch.load(sys.argv[2])
assert torch.equal(model(x), logits)
torch.save(model, sys.argv[1])
"""


def test_a_saved_model_is_loaded_without_this_package(tmp_path):
    """In a process that cannot import it, Normalize included; saved there, it comes back the same."""
    normalize = Normalize(np.array([[1e5], [-1.0]]), np.array([2.0, 0.5, -4.0]))
    network = build((2, 3), normalize, Flatten(), 6, "gelu", 4, dtype=np.float32)
    model, x = BACKEND.to_native(network), torch.randn(9, 2, 3) + 1e5
    files = [str(tmp_path / name) for name in ("model.pt", "samples.pt")]
    torch.save(model, files[0])
    torch.save((x, model(x).detach()), files[1])
    subprocess.run([sys.executable, "-c", WITHOUT_US, *files], check=True, timeout=60)
    again = torch.load(files[0], weights_only=False)
    assert_close(again(x).detach(), network.forward(x), 1e-6, "logits")
    assert BACKEND.from_native(again, (2, 3)).equals(network)


def test_other_traced_modules_are_read_by_their_export():
    """What is no module of torch's own is run, and its operators become layers."""
    traced = torch.fx.symbolic_trace(nn.ReLU())
    network = BACKEND.from_native(nn.Sequential(traced, nn.Linear(3, 2)), 3)
    assert [layer.kind for layer in network.layers] == ["activation", "dense"]


def test_a_linear_layer_with_an_overridden_scale_of_sums_is_not_refused_for_rounding():
    """Large sums that cancel differ between libraries; that is no difference of the networks."""
    linear = nn.Linear(3000, 2)
    with torch.no_grad():
        linear.weight.mul_(1e4)
    network = BACKEND.from_native(linear, 3000)
    assert isinstance(network.layers[0], Dense)
