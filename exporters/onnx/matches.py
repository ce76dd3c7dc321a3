"""What recognisers of groups of nodes share: who reads what, and what a match says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from dslc.ir.graph import Graph, Node
from exporters.onnx.model import Writer


@dataclass(frozen=True)
class Match:
    """`write` stands in for `last`; the nodes in `covered` (by their first output) are not lowered."""

    title: str
    last: int
    covered: frozenset[int]
    write: Callable[[Writer], None]


class Uses:
    """Who defines and who reads each value; `opset`: what the model may hold."""

    def __init__(self, graph: Graph, opset: int) -> None:
        self.graph = graph
        self.opset = opset
        self.maker: dict[int, Node] = {id: node for node in graph.nodes for id in node.outputs}
        self.readers: dict[int, list[Node]] = {}
        for node in graph.nodes:
            for id in node.inputs:
                self.readers.setdefault(id, []).append(node)
        self.published = {output.id for output in graph.outputs}

    def only(self, id: int, op: str) -> Node | None:
        """The node of operator `op` that defines `id`, if exactly one node reads it and it is not published."""
        node = self.maker.get(id)
        single = len(self.readers.get(id, ())) == 1 and id not in self.published
        return node if node is not None and node.op == op and single else None

    def made(self, id: int, op: str) -> Node | None:
        node = self.maker.get(id)
        return node if node is not None and node.op == op else None
