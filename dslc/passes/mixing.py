"""Whether what happens to one sample of a batch depends on the others, node by node."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from dslc.ir.graph import Graph, Node
from dslc.ir.types import Dim, TensorType
from dslc.ops.einsum import letters_of
from dslc.ops.support import normal_axes, product
from dslc.ops.table import lookup
from dslc.passes.layouts import BATCH, batch_axes, coefficient


def mixing(graph: Graph, node: Node) -> str:
    """Why a node whose result has the axis `batch` does not treat every sample alone; "" if it does."""
    for id in node.outputs:
        if len(batch_axes(graph.types[id])) > 1:
            return f"`{node.op}` combines every sample with every other"
        for size in graph.types[id].shape:
            linear = coefficient(size)
            if BATCH in size.names and (linear is None or linear * Dim.of(BATCH) != size):
                return f"`{node.op}` takes a part of the batch (the size {size})"
    if node.op == "arange":
        return "`arange` counts the samples within a batch"
    if lookup(node.op).random and any(graph.types[id].shape[0] != Dim.of(BATCH) for id in node.outputs):
        return f"`{node.op}` draws for each row of the first axis, which is not `batch`"
    if node.op in ("reshape", "flatten"):
        return "" if same_place(graph.types[node.inputs[0]], graph.types[node.outputs[0]]) else f"`{node.op}` mixes the samples of a batch"
    if node.op == "einsum" and len(batch_letters(graph, node)) > 1:
        return "`einsum` combines every sample with every other"
    if lookup(node.op).kind in ("conv", "pool") and any(axis > 1 for id in node.inputs for axis in batch_axes(graph.types[id])):
        return f"`{node.op}` has windows over the axis `batch`"
    if along_batch(graph, node) or places_of_batch(graph, node) or together(graph, node):
        return f"`{node.op}` works along the axis `batch`"
    return ""


def batch_letters(graph: Graph, node: Node) -> set[str]:
    """The letters of a contraction that stand for axes of the batch."""
    types = [graph.types[id] for id in node.inputs]
    terms, _ = letters_of(str(node.attrs["equation"]), [x.rank for x in types])
    return {term[axis] for term, x in zip(terms, types, strict=True) for axis in batch_axes(x)}


def places_of_batch(graph: Graph, node: Node) -> bool:
    """Whether an operator without `axis` treats the places along the batch axis differently: `tile`, a triangle."""
    if node.op not in ("tile", "tril", "triu"):
        return False
    x = graph.types[node.inputs[0]]
    repeats: Any = node.attrs.get("repeats", (1,) * (x.rank - 2) + (2, 2))
    return any(repeats[axis] != 1 for axis in batch_axes(x))


def together(graph: Graph, node: Node) -> bool:
    """Whether the batch is among the axes that an operator without `axis` looks at together."""
    if node.op not in TOGETHER:
        return False
    rank = graph.types[node.inputs[0]].rank
    return any(axis in TOGETHER[node.op](rank) for axis in batch_axes(graph.types[node.inputs[0]]))


TOGETHER: dict[str, Callable[[int], Sequence[int]]] = {
    "lrn": lambda rank: (1,),
    "group_normalize": lambda rank: range(1, rank),
    "space_to_depth": lambda rank: (1,),
    "depth_to_space": lambda rank: (1,),
    "circular_conv": lambda rank: (rank - 1,),
}


def along_batch(graph: Graph, node: Node) -> bool:
    """Whether the `axis` (none: all axes) that an operator looks at all of is the batch axis. A concatenation only makes more samples."""
    if "axis" not in node.attrs or not node.inputs or node.op in ("concat", "stack", "squeeze", "unsqueeze"):
        return False
    axis: Any = node.attrs["axis"]
    x = graph.types[node.inputs[0]]
    axes = range(x.rank) if axis is None else normal_axes(axis, x.rank)
    return not set(axes).isdisjoint(batch_axes(x))


def same_place(before: TensorType, after: TensorType) -> bool:
    """Whether a reshape leaves each sample's elements together: as many elements stand before the batch axis as before."""
    left, right = batch_axes(before), batch_axes(after)
    return len(left) == len(right) == 1 and product(before.shape[: left[0]]) == product(after.shape[: right[0]])
