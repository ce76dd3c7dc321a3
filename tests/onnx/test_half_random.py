"""Random graphs over all rows in float16: each passes the static checks and stays in both peers within the bound that roundings give."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import HealthCheck, assume, given, settings

from dslc.diagnostics import DataError
from dslc.interpret import interpret
from dslc.ir.graph import Graph, Node
from dslc.ir.types import DType, TensorType
from exporters.onnx.backends import BACKENDS, LeftOut
from exporters.onnx.check import Subject as Exported
from exporters.onnx.check import static_checks
from exporters.onnx.export import make_subject
from exporters.onnx.parity import agrees
from exporters.onnx.rounding import bounds, judged
from tests.onnx.networks import network
from tests.onnx.test_random import exportable
from tests.passes.random_graphs import Subject, subjects


def single(graph: Graph) -> Graph:
    """The graph, which is drawn in double precision, in single precision."""

    def turned(node: Node) -> Node:
        return node.model_copy(update={"attrs": {key: to_single(value) for key, value in node.attrs.items()}})

    types = tuple(TensorType(dtype=to_single(type.dtype), shape=type.shape) for type in graph.types)
    return graph.model_copy(update={"types": types, "nodes": tuple(map(turned, graph.nodes))})


def to_single(value: Any) -> Any:
    return DType.f32 if value is DType.f64 else value


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(subject=subjects())
def test_within_the_bound(subject: Subject) -> None:
    graph = single(exportable(subject.graph))
    assume(graph.outputs)
    arrays = {key: array.astype(np.float32) if array.dtype == np.float64 else array for key, array in subject.arrays.items()}
    fed = {item.name: arrays[item.name] for item in graph.inputs}
    made = make_subject(network(graph), {}, half=True)[0]
    static_checks(made)
    try:
        compare(made, fed)
    except DataError as error:  # a value beyond 65504
        assert "onnx-half-range" in str(error)


def compare(made: Exported, fed: dict[str, np.ndarray]) -> None:
    assert made.half is not None
    found = bounds(made.graph, made.half, fed, judged(made.graph))
    wanted = interpret(made.definition, np, fed)
    for make in BACKENDS.values():
        try:
            results = make(made.data)(fed)
        except LeftOut:
            continue
        for output, array in zip(made.graph.outputs, results, strict=True):
            limit = found[output.id].limit if output.id in found else 0
            assert agrees(np.asarray(wanted[output.name]), array, limit), output.name
