"""Drop nodes whose results nobody needs. Inputs stay: they are the graph's face, and dims take their sizes from them.

before:
    graph G {
      %0: f32[n] = input x
      %1: f32[n] = exp(%0) "exp0"
      %2: f32[n] = negative(%0) "negative0"
      output y = %2
    }
after:
    graph G {
      %0: f32[n] = input x
      %1: f32[n] = negative(%0) "negative0"
      output y = %1
    }
"""

from __future__ import annotations

from dslc.ir.graph import Graph
from dslc.passes.rewrite import part


def losses_only(graph: Graph) -> Graph:
    """Without the metrics, which a training step does not need."""
    return graph.model_copy(update={"outputs": tuple(output for output in graph.outputs if not output.name.startswith("metric."))})


def drop_dead(graph: Graph) -> Graph:
    needed = {item.id for item in (*graph.outputs, *graph.updates)}
    kept = []
    for node in reversed(graph.nodes):
        if needed.isdisjoint(node.outputs):
            continue
        needed.update(node.inputs)
        kept.append(node)
    return part(graph, reversed(kept), graph.outputs, graph.updates)
