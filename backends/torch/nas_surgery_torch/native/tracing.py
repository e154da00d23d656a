"""Modules that torch alone can load for what torch has no module for: traced calls of its functions."""

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import fx, nn

Values = Mapping[str, torch.Tensor | nn.Module]


def traced(
    name: str,
    run: Callable[..., fx.Proxy],
    held: Values,
    sources: int = 1,
    trainable: Sequence[str] = (),
) -> fx.GraphModule:
    """`run(held, *xs)` as a module called `name`, which has what is held by those names.

    Tensors become parameters where they are trainable, else buffers. `run` is called once, with
    stand-ins that write down what is done to them.
    """
    root, graph = nn.Module(), fx.Graph()
    tracer = fx.proxy.GraphAppendingTracer(graph)
    xs = [fx.Proxy(graph.placeholder(f"x{i}" if i else "x"), tracer) for i in range(sources)]
    stands = {}
    for key, value in held.items():
        _hold(root, key, value, key in trainable)
        if isinstance(value, nn.Module):
            stands[key] = _caller(graph, tracer, key)
        else:
            stands[key] = fx.Proxy(graph.get_attr(key), tracer)
    graph.output(run(stands, *xs).node)
    return fx.GraphModule(root, graph, name)


def _hold(root: nn.Module, name: str, value: torch.Tensor | nn.Module, trainable: bool) -> None:
    if isinstance(value, nn.Module):
        root.add_module(name, value)
    elif trainable:
        root.register_parameter(name, nn.Parameter(value))
    else:
        root.register_buffer(name, value)


def _caller(
    graph: fx.Graph, tracer: fx.proxy.GraphAppendingTracer, name: str
) -> Callable[..., fx.Proxy]:
    def call(*xs: fx.Proxy) -> fx.Proxy:
        return fx.Proxy(graph.call_module(name, tuple(x.node for x in xs)), tracer)

    return call


def calls(module: nn.Module) -> list[tuple[object, ...]]:
    """What a traced module does, to tell it from others; the values that it holds do not matter."""
    if not isinstance(module, fx.GraphModule):
        return []
    return [
        (_name(node.target), *(_argument(argument) for argument in node.args))
        for node in module.graph.nodes
        if node.op.startswith("call")
    ]


def _argument(argument: object) -> object:
    if not isinstance(argument, fx.Node):
        return argument
    return argument.target if argument.op == "get_attr" else "x"


def _name(target: object) -> object:
    return getattr(target, "__name__", target)
