"""In which order the samples of a batch stand along an axis whose size is a multiple of `batch`.

A layout is a tuple of blocks. A block of c has c rows of each sample, one sample after the other, as `reshape` makes them of a batch; a
concatenation puts blocks one after the other. Two values can be joined sample by sample where their layouts are the same.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from dslc.ir.graph import Graph, Node
from dslc.ir.types import Dim, TensorType

BATCH = "batch"
Layout = tuple[Dim, ...]


@lru_cache(maxsize=4096)  # a graph has few sizes, and each is asked about for each node
def coefficient(dim: Dim) -> Dim | None:
    """c where dim = c·batch + r and neither c nor r depends on `batch`; None where it is not of this form."""
    at = [dim.substitute({BATCH: value}) for value in (0, 1, 2, 3)]
    step = at[1] - at[0]
    straight = all(at[i + 1] - at[i] == step for i in (1, 2)) and dim == step * Dim.of(BATCH) + at[0]
    return step if straight else None


def batch_axes(type: TensorType) -> list[int]:
    return [axis for axis, size in enumerate(type.shape) if BATCH in size.names]


class Layouts:
    """The layouts of values, node by node. A value that is the same for all samples has none."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.known: dict[int, Layout] = {item.id: self.whole(item.id) for item in graph.inputs if batch_axes(graph.types[item.id])}

    def whole(self, id: int) -> Layout:
        """One block."""
        type = self.graph.types[id]
        found = coefficient(type.shape[batch_axes(type)[0]])
        return (found,) if found is not None else ()

    def visit(self, node: Node) -> str:
        """Note the layout of the results; why the node joins different samples, "" if it does not."""
        given = [self.known[id] for id in node.inputs if id in self.known]
        if not given:
            return ""
        if node.op == "concat" and self.along(node):
            layout = tuple(block for id in node.inputs for block in self.known.get(id) or self.whole(id))
        elif any(other != given[0] for other in given):
            return f"`{node.op}` joins values whose samples stand in different orders"
        else:
            layout = given[0]
        if node.op == "slice":
            blocks = self.part(node, layout)
            if blocks is None:
                return "`slice` takes a part of the batch"
            layout = blocks
        for id in node.outputs:
            if not batch_axes(self.graph.types[id]):
                continue
            whole = self.whole(id)
            if node.op in ("reshape", "flatten") and whole != (sum(layout, Dim.of(0)),):
                if len(layout) > 1:
                    return f"`{node.op}` mixes the samples of a batch"
                layout = whole
            self.known[id] = layout
        return ""

    def part(self, node: Node, layout: Layout) -> Layout | None:
        """The blocks that a slice takes along the axis of the batch; None where it takes a part of one."""
        axis = batch_axes(self.graph.types[node.inputs[0]])[0]
        starts: Any = node.attrs["starts"]
        stops: Any = node.attrs["stops"]
        ends = [sum(layout[:at], Dim.of(0)) * Dim.of(BATCH) for at in range(len(layout) + 1)]
        start, stop = Dim.of(starts[axis]), Dim.of(stops[axis])
        return layout[ends.index(start) : ends.index(stop)] if start in ends and stop in ends else None

    def along(self, node: Node) -> bool:
        """Whether the axis of a concatenation is that of the batch."""
        type = self.graph.types[node.outputs[0]]
        axis: Any = node.attrs["axis"]
        return axis % type.rank in batch_axes(type)
