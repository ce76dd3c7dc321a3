"""Random graphs over all rows: what has an ONNX form is exported, passes the static checks and computes the same in `onnx.reference`."""

from __future__ import annotations

import numpy as np
from hypothesis import HealthCheck, assume, given, settings

from dslc.interpret import interpret
from dslc.ir.graph import Graph
from dslc.passes.drop_dead import drop_dead
from exporters.onnx.backends import LeftOut, reference
from exporters.onnx.check import static_checks
from exporters.onnx.export import make_subject
from exporters.onnx.lower import why_not
from tests.onnx.networks import network
from tests.onnx.test_rows import assert_same
from tests.passes.random_graphs import Subject, subjects

few = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


def exportable(graph: Graph) -> Graph:
    """The outputs that need no operator without a form, over inputs of a network only."""
    lost: set[int] = set()
    for node in graph.nodes:
        if why_not(node.op) or lost.intersection(node.inputs):
            lost.update(node.outputs)
    kept = drop_dead(graph.model_copy(update={"outputs": tuple(item for item in graph.outputs if item.id not in lost)}))
    inputs = tuple(item.model_copy(update={"kind": "input"}) for item in kept.inputs if item.kind != "key")
    return kept.model_copy(update={"inputs": inputs})


@few
@given(subject=subjects())
def test_exported_graphs_compute_the_same(subject: Subject) -> None:
    graph = exportable(subject.graph)
    assume(graph.outputs)
    made = make_subject(network(graph), {})[0]
    static_checks(made)
    wanted = interpret(graph, np, subject.arrays)
    fed = {item.name: subject.arrays[item.name] for item in graph.inputs}
    try:
        run = reference(made.data)
    except LeftOut:  # it does not follow the standard in some node
        return
    for output, found in zip(graph.outputs, run(fed), strict=True):
        assert_same(wanted[output.name], found)
