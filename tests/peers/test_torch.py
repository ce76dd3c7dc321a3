"""Every row that runs against PyTorch's counterpart: values, and gradients to every floating input, in double precision."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dslc.interpret import interpret
from dslc.ir.graph import Graph
from dslc.ir.types import DType, tensor
from dslc.ops.table import Case, lookup, rows
from dslc.ops.value import Builder, F, Val
from dslc.passes.differentiate import differentiate, input_names

pytest.importorskip("torch", reason="the comparison with PyTorch needs torch==2.13.0")

from tests.peers import torch_graph
from tests.peers.torch_functions import FUNCTIONS

RUNNABLE = [row.name for row in rows() if row.eval is not None and not row.random]
SAMPLED = [name for name in RUNNABLE if lookup(name).sample is not None]


def test_every_row_that_runs_has_a_counterpart() -> None:
    assert sorted(FUNCTIONS) == sorted(RUNNABLE)


def graph_of(name: str, arrays: dict[str, np.ndarray], attrs: dict[str, Any]) -> Graph:
    """Outputs y0 …, and where they are floats `loss`: their sum weighted by fixed numbers."""
    b = Builder("One")
    inputs = [b.input("input", key, tensor(dtype_of(value), *value.shape)) for key, value in arrays.items()]
    loss: Val | None = None
    for at, y in enumerate(b.many(name, inputs, **attrs)):
        b.output(f"y{at}", y)
        if y.type.dtype is DType.f64:
            term = F.sum(y * F.sigmoid(y) if y.type.rank == 0 else y * y * 0.5 + y * (at + 1.0))
            loss = term if loss is None else loss + term
    if loss is not None:
        b.output("loss", loss)
    return b.build()


def dtype_of(value: np.ndarray) -> DType:
    return next(dtype for dtype in DType if dtype.numpy == value.dtype.name)


def cases(name: str) -> list[Case]:
    sample = lookup(name).sample
    assert sample is not None
    return sample(np.random.default_rng(5))


def differentiable(graph: Graph, name: str) -> tuple[str, ...]:
    """The floating inputs that the row has a gradient for."""
    grad = lookup(name).grad
    if not any(output.name == "loss" for output in graph.outputs):
        return ()
    node = next(node for node in graph.nodes if node.op == name)
    names = {id: grad.get(parameter) for id, parameter in zip(node.inputs, input_names(node), strict=True)}
    return tuple(item.name for item in graph.inputs if graph.types[item.id].dtype.is_float and names[item.id] is not None)


@pytest.mark.parametrize("name", SAMPLED)
def test_values_and_gradients(name: str) -> None:
    for case in cases(name):
        arrays = {f"x{at}": np.asarray(value) for at, value in enumerate(case.inputs)}
        graph = graph_of(name, arrays, case.attrs)
        wrt = differentiable(graph, name)
        ours = interpret(differentiate(graph, "loss", wrt) if wrt else graph, np, arrays)
        theirs, gradients = torch_graph.run(graph, arrays, wrt)
        for output in graph.outputs:
            same(ours[output.name], theirs[output.name])
        for key in wrt:
            same(ours[f"grad:{key}"], gradients[key])


def same(ours: np.ndarray, theirs: np.ndarray) -> None:
    assert (ours.shape, ours.dtype) == (theirs.shape, theirs.dtype)
    np.testing.assert_allclose(ours, theirs, rtol=1e-11, atol=1e-12)
