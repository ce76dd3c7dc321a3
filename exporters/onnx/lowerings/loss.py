"""Losses of a training step, and the covariance: each is spelled in plain rows, and these are lowered in its place."""

from __future__ import annotations

from collections.abc import Sequence

from dslc.ir.graph import Graph, Node
from dslc.ops import average, covariance, loss, regression
from dslc.ops.infer import split_inputs
from dslc.ops.value import Builder
from exporters.onnx.lowerings.base import lowering
from exporters.onnx.model import Writer

SPELLED = {
    "average": average.spelled,
    "covariance": covariance.spelled,
    **dict.fromkeys(("cross_entropy", "nll"), loss.spelled),
    **dict.fromkeys(regression.PAIRS, regression.spelled),
}


@lowering(*SPELLED)
def spelled(w: Writer, node: Node, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    b = Builder(node.op)
    values = [b.input("input", f"x{at}", w.type(name)) for at, name in enumerate(inputs)]
    given, optional = split_inputs(node.op, values, node.attrs)
    settings = {key: value for key, value in node.attrs.items() if key != "optional"}
    b.output("y", SPELLED[node.op](node.op, *given, **optional, **settings))
    inlined(w, b.build(), inputs, outputs)


def inlined(w: Writer, graph: Graph, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    """The nodes of `graph` below the current node's address, between these tensors. An input that is an output is handed through."""
    from exporters.onnx.lower import lower_node

    around, types, names = w.current, w.types, w.names
    given = {item.id: name for item, name in zip(graph.inputs, inputs, strict=True)}
    results = {output.id: name for output, name in zip(graph.outputs, outputs, strict=True)}
    for id in results.keys() & given.keys():
        w.emit("Identity", [given[id]], graph.types[id], results[id])
    w.types, w.names = graph.types, given
    for node in graph.nodes:
        inner = node.model_copy(update={"address": f"{around.address}/{node.address}", "place": around.place})
        w.names.update((id, results.get(id) or w.at(inner.address)) for id in node.outputs)
        lower_node(w, inner, None)
    w.current, w.types, w.names = around, types, names
