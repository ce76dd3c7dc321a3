"""Compute equal things once: nodes with the same operator, inputs and attributes become one (the first).

Random operators draw by seed, step, stream and sample, so that two of them with one stream are the same draw, and
two with different streams differ in an attribute: sharing never changes randomness.

before:
    graph G {
      %0: f32[n] = input x
      %1: f32[n] = exp(%0) "exp0"
      %2: f32[n] = exp(%0) "exp1"
      %3: f32[n] = add(%1, %2) "add0"
      output y = %3
    }
after:
    graph G {
      %0: f32[n] = input x
      %1: f32[n] = exp(%0) "exp0"
      %2: f32[n] = add(%1, %1) "add0"
      output y = %2
    }
"""

from __future__ import annotations

from typing import Any

from dslc.ir.graph import Attr, Graph, Node
from dslc.ops.value import Val
from dslc.passes.rewrite import Rewriter

Key = tuple[Any, ...]


def share(graph: Graph) -> Graph:
    rewriter = Rewriter(graph)
    seen: dict[Key, tuple[Val, ...]] = {}
    for node in graph.nodes:
        key = node_key(node, tuple(value.id for value in rewriter.inputs(node)))
        if node.body is None and key in seen:
            rewriter.replace(node, seen[key])
        else:
            seen[key] = rewriter.keep(node)
    return rewriter.finish()


def node_key(node: Node, inputs: tuple[int, ...]) -> Key:
    """Equal for nodes that compute the same. 1, 1.0 and true differ, and so do 0.0 and -0.0."""
    return (node.op, inputs, tuple((name, attr_key(node.attrs[name])) for name in sorted(node.attrs)))


def attr_key(value: Attr) -> Any:
    if isinstance(value, tuple):
        return tuple(attr_key(item) for item in value)
    return (type(value).__name__, repr(value) if isinstance(value, float) else value)
