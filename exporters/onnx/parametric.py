"""Values of a graph that weights, states and constants alone decide, computed in double precision."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from dslc.interpret import run_node
from dslc.ir.graph import Graph, Node
from dslc.ir.types import DType


class Parametric:
    """Which values of a graph its parameters alone decide, and what they are.

    sources: for each such value the ids of the weights and states that it comes from; parameters: by address.
    """

    def __init__(self, graph: Graph, parameters: Mapping[str, np.ndarray]) -> None:
        self.graph = graph
        self.maker: dict[int, Node] = {id: node for node in graph.nodes for id in node.outputs}
        self.order = {id: at for at, node in enumerate(graph.nodes) for id in node.outputs}
        self.known: dict[int, np.ndarray] = {}
        self.names = {item.id: item.name for item in graph.inputs if item.kind in ("weight", "state")}
        self.states = {item.id for item in graph.inputs if item.kind == "state"}
        self.parameters = parameters
        self.sources: dict[int, frozenset[int]] = {id: frozenset([id]) for id in self.names}
        for node in graph.nodes:
            if self.decided(node):
                found = frozenset().union(*(self.sources[id] for id in node.inputs))
                self.sources.update(dict.fromkeys(node.outputs, found))

    def decided(self, node: Node) -> bool:
        """Whether the node reads parameters and constants only, and no size of the inputs."""
        open_sizes = any(self.graph.types[id].names for id in node.outputs) or node.op == "size"
        return node.body is None and not open_sizes and all(id in self.sources for id in node.inputs)

    def __contains__(self, id: int) -> bool:
        return id in self.sources

    def reads_state(self, id: int) -> bool:
        return not self.states.isdisjoint(self.sources.get(id, ()))

    def value(self, id: int) -> np.ndarray:
        """The value in double precision (integers and truth values as they are)."""
        for node in self.missing(id):
            inputs = [self.known[key] if key in self.known else self.given(key) for key in node.inputs]
            attrs = {key: DType.f64 if item is DType.f32 else item for key, item in node.attrs.items()}
            with np.errstate(all="ignore"):
                results = run_node(np, node.model_copy(update={"attrs": attrs}), inputs, {})
            self.known.update(zip(node.outputs, results, strict=True))
        return self.known[id] if id in self.known else self.given(id)

    def given(self, id: int) -> np.ndarray:
        array = self.parameters[self.names[id]]
        return array.astype(np.float64) if array.dtype.kind == "f" else array

    def missing(self, id: int) -> Iterable[Node]:
        """The nodes that make the value and have not been run, in order."""
        found: dict[int, Node] = {}
        stack = [id]
        while stack:
            key = stack.pop()
            node = self.maker.get(key)
            if node is None or key in self.known or self.order[key] in found:
                continue
            found[self.order[key]] = node
            stack += node.inputs
        return [found[at] for at in sorted(found)]
