"""A graph with its kinks held where they are, so that differences of any step see one smooth piece.

A network with relu and max_pool is smooth in pieces, and steps that are small enough to stay on one piece are too small for nine digits:
deep networks have 10⁵ kinks. So differences are taken of the piece on which the weights lie: relu(x) = x · [x > 0], max_pool takes the
same places, a clipped value stays clipped, all held at what they are there. Value and gradient at that point are the network's own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from dslc.interpret import interpret
from dslc.ir.graph import Graph, Input, Node
from dslc.ir.types import DType

Arrays = Mapping[str, np.ndarray]
Values = Mapping[int, np.ndarray]


class Piece:
    """`graph`: the piece; `held`: the arrays of its new inputs."""

    def __init__(self, graph: Graph, given: Arrays) -> None:
        self.types, self.inputs = list(graph.types), list(graph.inputs)
        self.held: dict[str, np.ndarray] = {}
        values: dict[int, np.ndarray] = {item.id: given[item.name] for item in graph.inputs}
        interpret(graph, np, given, on_node=lambda node, results: values.update(zip(node.outputs, results, strict=True)))
        nodes = tuple(KINKS[node.op](self, node, values) if node.op in KINKS else node for node in graph.nodes)
        self.graph = graph.model_copy(update={"types": tuple(self.types), "inputs": tuple(self.inputs), "nodes": nodes})

    def hold(self, id: int, array: np.ndarray) -> int:
        """A new input of the type of the value `id`, or a bool one of its shape, that holds this array."""
        name, new = f"held{len(self.types)}", len(self.types)
        type = self.types[id] if array.dtype != np.bool_ else self.types[id].model_copy(update={"dtype": DType.bool})
        self.held[name] = array
        self.inputs.append(Input(kind="data", name=name, id=new))
        self.types.append(type)
        return new

    # -- one rule for each operator with kinks

    def slope(self, node: Node, values: Values) -> Node:
        """y = x · m with m = y / x held: relu, leaky_relu, abs."""
        (x,), (y,) = node.inputs, node.outputs
        factor = np.divide(values[y], values[x], out=np.zeros_like(values[y]), where=values[x] != 0)
        return node.model_copy(update={"op": "multiply", "inputs": (x, self.hold(y, np.asarray(factor))), "attrs": {}})

    def places(self, node: Node, values: Values) -> Node:
        """max_pool: what stands at the places of the largest values."""
        (x,), (y,) = node.inputs, node.outputs
        return node.model_copy(update={"op": "max_pool_take", "inputs": (self.hold(x, values[x]), self.hold(y, values[y]), x)})

    def limit(self, node: Node, values: Values) -> Node:
        """clip: x where it is not clipped, else the held limit."""
        (x,), (y,) = node.inputs, node.outputs
        inside = self.hold(y, np.asarray(values[x] == values[y]))
        return node.model_copy(update={"op": "where", "inputs": (inside, x, self.hold(y, values[y])), "attrs": {}})


KINKS: Mapping[str, Callable[[Piece, Node, Values], Node]] = {
    "relu": Piece.slope,
    "leaky_relu": Piece.slope,
    "abs": Piece.slope,
    "max_pool": Piece.places,
    "clip": Piece.limit,
}
