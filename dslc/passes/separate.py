"""Give values a memory of their own where their use demands it: outputs that are to stand side by side, and new state values.

A copy is a `broadcast` to the own shape. Copied are: an output of the contiguous region that is an input, a constant, or shares its
memory with an earlier one; and an update that would still be the memory of a state when the states are written.

before:
    graph G {
      %0: f32[3] = state a
      %1: f32[3] = state b
      output y = %0
      update a = %1
      update b = %0
    }
after:
    graph G {
      %0: f32[3] = state a
      %1: f32[3] = state b
      %2: f32[3] = broadcast(%1) {shape=(3)} "a.copy"
      %3: f32[3] = broadcast(%0) {shape=(3)} "b.copy"
      output y = %0
      update a = %2
      update b = %3
    }
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dslc.ir.graph import Graph, Node, Output
from dslc.ops.support import attr_shape
from dslc.ops.value import Builder, Val
from dslc.passes.rewrite import resume

VIEWS = frozenset(["reshape", "flatten", "squeeze", "unsqueeze"])  # their result is the memory of their input


def separate(graph: Graph, contiguous: Sequence[str] = ()) -> Graph:
    builder = resume(graph)
    owners = storage(graph)
    shared = {item.id for item in graph.inputs} | {node.outputs[0] for node in graph.nodes if node.op == "constant"}
    places = {item.name: at for at, item in enumerate(graph.outputs)}
    taken: set[int] = set()
    for name in contiguous:
        item = graph.outputs[places[name]]
        if owners[item.id] in shared or owners[item.id] in taken:
            builder.outputs[places[name]] = copied(builder, item)
        taken.add(owners[item.id])
    kept = {item.id for item in graph.inputs if item.kind in ("state", "weight")}
    builder.updates = [copied(builder, item) if owners[item.id] in kept else item for item in graph.updates]
    return builder.build()


def copied(builder: Builder, item: Output) -> Output:
    value = Val(builder, item.id)
    builder.place = ""
    (copy,) = builder.emit("broadcast", (value,), {"shape": attr_shape(value.type.shape)}, address=f"{item.name}.copy")
    return Output(name=item.name, id=copy.id)


def storage(graph: Graph) -> list[int]:
    """For each value the value whose memory it is: itself, or what it is a view of."""
    owners = list(range(len(graph.types)))
    views = operand_views(graph)
    for node in graph.nodes:
        if node.op in VIEWS or node.outputs[0] in views:
            owners[node.outputs[0]] = owners[node.inputs[0]]
    return owners


def operand_views(graph: Graph) -> dict[int, tuple[int, ...]]:
    """The transposes that need no memory, with the order of the axes: the last two are swapped, and only matrix products read the result.

    A matrix product reads a transposed operand as it lies.
    """
    found = {node.outputs[0]: order for node in graph.nodes if (order := swap(graph, node)) is not None}
    for node in graph.nodes:
        if node.op != "matmul":
            for id in node.inputs:
                found.pop(id, None)
    for item in (*graph.outputs, *graph.updates):
        found.pop(item.id, None)
    return found


def swap(graph: Graph, node: Node) -> tuple[int, ...] | None:
    """The order of the axes of a `transpose` that swaps the last two."""
    rank = graph.types[node.outputs[0]].rank
    if node.op != "transpose" or rank < 2:
        return None
    swapped = (*range(rank - 2), rank - 1, rank - 2)
    axes: Any = node.attrs["axes"]
    return swapped if axes is None or tuple(a % rank for a in axes) == swapped else None
