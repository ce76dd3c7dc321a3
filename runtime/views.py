"""Transposes that need no copy: a matrix product reads a transposed view as it is, as long as nothing else is written there meanwhile."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dslc.ir.graph import Graph, Node
from runtime.device import Array
from runtime.schedule import interval, meet


def transposed_views(graph: Graph, nodes: Sequence[Node], arrays: Mapping[int, Array]) -> dict[int, Array]:
    """Views to be read instead of the results of transposes; those transposes need not run.

    nodes: in order of execution; arrays: where every value lies. A result that is reshaped without a copy is needed as it is.
    """
    running = {node.outputs[0] for node in nodes}
    kept = {item.id for item in (*graph.outputs, *graph.updates)}
    kept.update(id for node in graph.nodes if node.outputs[0] not in running for id in node.inputs)
    readers: dict[int, list[int]] = {}
    for at, node in enumerate(nodes):
        for id in node.inputs:
            readers.setdefault(id, []).append(at)
    found: dict[int, Array] = {}
    for at, node in enumerate(nodes):
        (id, *_) = node.outputs
        uses = readers.get(id, [])
        if node.op != "transpose" or not uses or id in kept or any(nodes[use].op != "matmul" for use in uses):
            continue
        source = arrays[node.inputs[0]]
        later = nodes[at + 1 : max(uses) + 1]
        if not any(meet([interval(source)], [interval(arrays[out])]) for other in later for out in other.outputs):
            axes = node.attrs["axes"]
            found[id] = source.transpose(axes) if axes is not None else source.swapaxes(-1, -2)
    return found
