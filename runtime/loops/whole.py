"""A small graph as one nest: every node reads the values of others, only the outputs are stored."""

from __future__ import annotations

from collections.abc import Mapping

from dslc.ir.graph import Graph
from dslc.ops.infer import evaluate
from runtime.loops.lower import resolved, simple
from runtime.loops.nest import Array, Index, Nest
from runtime.loops.tensor import Tensor
from runtime.loops.tracer import Tracer, all_of
from runtime.loops.trim import NoNest


def whole_nest(graph: Graph, into: Mapping[str, str]) -> tuple[Nest, dict[str, Array]]:
    """The nest and its arrays, which are named as inputs are; the output `name` is stored in the array into[name].

    All outputs of one shape run along the same axes, so that an output may lie where an input lies. NoNest where a node is no nest.
    """
    tracer = Tracer()
    arrays: dict[str, Array] = {}
    values: dict[int, Tensor] = {}
    for item in graph.inputs:
        type = graph.types[item.id]
        arrays[item.name] = Array(tuple(simple(size) for size in type.shape), type.dtype.numpy)
        values[item.id] = tracer.array(item.name, arrays[item.name].shape, arrays[item.name].dtype)
    for node in graph.nodes:
        type = graph.types[node.outputs[0]]
        if node.op == "constant":
            shape = tuple(simple(size) for size in type.shape)
            values[node.outputs[0]] = tracer.xp.full(shape, node.attrs["value"], type.dtype.numpy)
            continue
        results = evaluate(node.op, tracer.xp, [values[id] for id in node.inputs], resolved(node.attrs))
        if not all(isinstance(result, Tensor) for result in results):
            raise NoNest(f"{node.op}: a result that is no tensor")
        values.update(zip(node.outputs, results, strict=True))
    places: dict[tuple[object, ...], Index] = {}
    for output in graph.outputs:
        value = values[output.id]
        shape = tuple(value.shape)
        if shape not in places:
            places[shape] = all_of(tracer, shape)
        index = places[shape]
        name = into[output.name]
        arrays.setdefault(name, Array(shape, value.dtype.name))
        tracer.writer.store(name, index, value.astype(arrays[name].dtype).read(index))
    return tracer.nest(graph.name), arrays
