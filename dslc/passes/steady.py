"""Draws of values that belong to no sample are the same in every batch: those of sample 0, as over the whole split at once (R23).

The last number of a key is the first sample of the batch; for such draws it is 0.

before:
    graph G {
      %0: i64[3] = key key
      %1: f32[4] = uniform(%0) {low=0.0, high=1.0, shape=(4), dtype=f32, stream=7} "uniform0"
      output y = %1
    }
after:
    graph G {
      %0: i64[3] = key key
      %1: i64[3] = constant() {value=(1, 1, 0), dtype=i64} "uniform0.whole"
      %2: i64[3] = multiply(%0, %1) "uniform0.key"
      %3: f32[4] = uniform(%2) {low=0.0, high=1.0, shape=(4), dtype=f32, stream=7} "uniform0"
      output y = %3
    }
"""

from __future__ import annotations

from dslc.ir.graph import Attr, Graph, Node
from dslc.ir.types import DType
from dslc.ops.table import lookup
from dslc.passes.layouts import BATCH
from dslc.passes.rewrite import Rewriter


def steady(graph: Graph) -> Graph:
    if not any(of_no_sample(graph, node) for node in graph.nodes):
        return graph
    rewriter = Rewriter(graph)
    for node in graph.nodes:
        if of_no_sample(graph, node):
            keep_whole(rewriter, node)
        else:
            rewriter.keep(node)
    return rewriter.finish()


def of_no_sample(graph: Graph, node: Node) -> bool:
    return lookup(node.op).random and not any(BATCH in graph.types[id].names for id in node.outputs)


def keep_whole(rewriter: Rewriter, node: Node) -> None:
    """The draw with a key whose first sample is 0."""
    builder, id = rewriter.builder, node.inputs[-1]
    key = rewriter.new[id]
    builder.place = node.place
    attrs: dict[str, Attr] = {"value": (1, 1, 0), "dtype": DType.i64}
    (factor,) = builder.emit("constant", (), attrs, address=rewriter.free(f"{node.address}.whole"))
    (rewriter.new[id],) = builder.emit("multiply", (key, factor), address=rewriter.free(f"{node.address}.key"))
    rewriter.keep(node)
    rewriter.new[id] = key
