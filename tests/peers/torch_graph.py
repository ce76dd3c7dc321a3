"""Runs a graph of ours with PyTorch's own functions: an oracle of forward values and gradients that shares no code with us."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from dslc.ir.graph import Graph, Node
from dslc.ir.types import Dim
from dslc.ops.infer import evaluate, resolve_attrs, split_inputs
from dslc.ops.table import lookup
from dslc.passes.differentiate import input_names
from tests.peers.torch_functions import FUNCTIONS

Arrays = Mapping[str, np.ndarray]


def run(graph: Graph, arrays: Arrays, wrt: tuple[str, ...] = (), loss: str = "loss") -> tuple[dict[str, Any], dict[str, Any]]:
    """Outputs by name, and the gradients of the output `loss` to the inputs named in `wrt`, as NumPy arrays."""
    dims = sizes(graph, arrays)
    leaves = {name: torch.from_numpy(np.array(arrays[name])).requires_grad_() for name in wrt}
    values: dict[int, torch.Tensor] = {}
    for item in graph.inputs:
        values[item.id] = leaves[item.name] if item.name in leaves else torch.from_numpy(np.array(arrays[item.name]))
    for node in graph.nodes:
        results = apply(node, [values[id] for id in node.inputs], dims)
        values.update(zip(node.outputs, results, strict=True))
    outputs = {output.name: values[output.id] for output in graph.outputs}
    needed = bool(wrt) and outputs[loss].requires_grad
    found = torch.autograd.grad(outputs[loss], list(leaves.values()), allow_unused=True) if needed else [None] * len(wrt)
    gradients = {name: np.zeros(leaf.shape) if g is None else g.numpy() for (name, leaf), g in zip(leaves.items(), found, strict=True)}
    return {name: value.detach().numpy() for name, value in outputs.items()}, gradients


def sizes(graph: Graph, arrays: Arrays) -> dict[str, int]:
    """The values of the symbolic dims."""
    dims: dict[str, int] = {}
    for item in graph.inputs:
        for size, found in zip(graph.types[item.id].shape, arrays[item.name].shape, strict=True):
            if size == Dim.of(str(size)) and not size.is_constant:
                dims[str(size)] = found
    return dims


def moved(op: str, inputs: list[torch.Tensor], attrs: Mapping[str, Any]) -> torch.Tensor:
    """A sample's elements at other places: ours says which goes where (0: none), PyTorch moves them, so that gradients pass."""
    x, key = inputs
    numbers = np.arange(1, x.numel() + 1, dtype="int64").reshape(tuple(x.shape))
    (places,) = evaluate(op, np, [numbers, key.numpy()], attrs)
    flat = torch.cat([torch.zeros(1, dtype=x.dtype), x.reshape(-1)])
    return flat[torch.from_numpy(np.array(places))]


def apply(node: Node, inputs: list[torch.Tensor], dims: Mapping[str, int]) -> tuple[torch.Tensor, ...]:
    """The results of one node. Draws have no counterpart in PyTorch: they are data, and ours are taken."""
    attrs = resolve_attrs(node.attrs, dims)
    if node.op in ("random_flip", "random_shift"):
        return (moved(node.op, inputs, attrs),)
    if lookup(node.op).random:
        drawn = evaluate(node.op, np, [value.detach().numpy() for value in inputs], attrs)
        return tuple(torch.from_numpy(np.array(array)) for array in drawn)
    rules = lookup(node.op).grad  # None: no gradient passes, on purpose
    passing = [value if rules.get(name) else value.detach() for value, name in zip(inputs, input_names(node), strict=True)]
    positional, optional = split_inputs(node.op, passing, attrs)
    settings = {key: value for key, value in attrs.items() if key != "optional"}
    result = FUNCTIONS[node.op](*positional, **optional, **settings)
    return result if isinstance(result, tuple) else (result,)
