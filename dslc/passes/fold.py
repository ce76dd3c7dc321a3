"""Compute at compile time what depends on constants only, with the rows' own `eval`.

Left alone: random operators, symbolic sizes, indices that are out of range, results that are large or not finite, and repeated numbers
(`broadcast`), which are smaller as they are.

before:
    graph G {
      %0: f32[n] = input x
      %1: f32[] = constant() {value=2.0, dtype=f32} "constant0"
      %2: f32[] = constant() {value=0.25, dtype=f32} "constant1"
      %3: f32[] = add(%1, %2) "add0"
      %4: f32[n] = multiply(%0, %3) "multiply0"
      output y = %4
    }
after:
    graph G {
      %0: f32[n] = input x
      %1: f32[] = constant() {value=2.0, dtype=f32} "constant0"
      %2: f32[] = constant() {value=0.25, dtype=f32} "constant1"
      %3: f32[] = constant() {value=2.25, dtype=f32} "add0"
      %4: f32[n] = multiply(%0, %3) "multiply0"
      output y = %4
    }
"""

from __future__ import annotations

from math import isfinite
from typing import Any

from dslc.interpret import quiet
from dslc.ir.graph import Attr, Graph, Node
from dslc.ir.types import Dim, DType, TensorType
from dslc.ops.infer import evaluate
from dslc.ops.table import lookup
from dslc.passes.rewrite import Rewriter

LARGEST = 1024  # elements of a folded value
NEVER = frozenset(["constant", "broadcast"])


def fold(graph: Graph) -> Graph:
    rewriter = Rewriter(graph)
    known: dict[int, Any] = {}  # arrays, by value id of the new graph
    for node in graph.nodes:
        result = constant_array(node) if node.op == "constant" else folded(graph, rewriter, node, known)
        if result is None or node.op == "constant" or (node.op == "reshape" and result.ndim > 2):
            (value, *_) = rewriter.keep(node)
        else:
            value = rewriter.constant(node, graph.types[node.outputs[0]].dtype, result)
        if result is not None:
            known[value.id] = result
    return rewriter.finish()


def constant_array(node: Node) -> Any:
    """The array of a `constant` node, or None if it is too large to compute with here."""
    import numpy as np

    value: Any = node.attrs["value"]
    dtype: Any = node.attrs["dtype"]
    array = np.asarray(value, DType(dtype).numpy)
    return array if array.size <= LARGEST else None


def folded(graph: Graph, rewriter: Rewriter, node: Node, known: dict[int, Any]) -> Any:
    """The node's result, or None where it is left alone."""
    import numpy as np

    inputs = [known.get(rewriter.new[id].id) for id in node.inputs]
    if any(array is None for array in inputs) or not foldable(node, [graph.types[id] for id in node.outputs]):
        return None
    try:
        with quiet(np):
            (result,) = evaluate(node.op, np, inputs, node.attrs)
    except IndexError:  # it is told, with its place, where the node is run
        return None
    result = np.asarray(result)
    return result if np.isfinite(result).all() else None


def foldable(node: Node, types: list[TensorType]) -> bool:
    row = lookup(node.op)
    if row.eval is None or row.random or node.op in NEVER or node.body is not None or len(types) != 1:
        return False
    elements = types[0].elements
    return elements.is_constant and elements.constant <= LARGEST and not any(map(symbolic, node.attrs.values()))


def symbolic(value: Attr) -> bool:
    if isinstance(value, tuple):
        return any(map(symbolic, value))
    return isinstance(value, Dim) or (isinstance(value, float) and not isfinite(value))
