"""What graph-to-graph passes share: a builder that goes on from a graph, and one that copies a graph node by node."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from dslc.ir.graph import Attr, Graph, Node, Output
from dslc.ir.types import DType, TensorType
from dslc.ops.value import Builder, Val


def resume(graph: Graph) -> Builder:
    """A builder that holds all of `graph` and goes on from there."""
    builder = Builder(graph.name)
    builder.types = list(graph.types)
    builder.inputs = list(graph.inputs)
    builder.nodes = list(graph.nodes)
    builder.outputs = list(graph.outputs)
    builder.updates = list(graph.updates)
    builder._counts = address_counts(graph)
    return builder


def address_counts(graph: Graph) -> dict[tuple[str, str], int]:
    """The next free number of every (scope, operator), so that new addresses do not meet those of the graph."""
    counts: dict[tuple[str, str], int] = {}
    for node in graph.nodes:
        scope, _, last = node.address.rpartition("/")
        number = last[len(node.op) :]
        if last.startswith(node.op) and number.isdecimal() and len(number) < 10:
            counts[scope, node.op] = max(counts.get((scope, node.op), 0), int(number) + 1)
    return counts


def renamed(node: Node, inputs: tuple[int, ...], outputs: tuple[int, ...]) -> Node:
    """The node over other value ids. Its parts are valid already, so nothing is validated again."""
    if node.inputs == inputs and node.outputs == outputs:
        return node
    return Node.model_construct(
        op=node.op, inputs=inputs, outputs=outputs, attrs=node.attrs, body=node.body, place=node.place, address=node.address
    )


class Rewriter:
    """Copies a graph in order; a pass keeps a node or puts other values in the place of its results.

    `new` maps value ids of the old graph to values of the new one; `maker` maps ids of the new graph to the node that makes them.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.builder = Builder(graph.name)
        self.maker: dict[int, Node] = {}
        self.new: dict[int, Val] = {}
        self.addresses = {node.address for node in graph.nodes}
        for item in graph.inputs:
            self.builder.place = item.place
            self.new[item.id] = self.builder.input(item.kind, item.name, graph.types[item.id])

    def inputs(self, node: Node) -> list[Val]:
        """The node's inputs in the new graph."""
        return [self.new[id] for id in node.inputs]

    def keep(self, node: Node) -> tuple[Val, ...]:
        """Copy the node over the new values of its inputs."""
        results = tuple(self.builder.value(self.graph.types[id]) for id in node.outputs)
        copy = renamed(node, tuple(self.new[id].id for id in node.inputs), tuple(value.id for value in results))
        self.builder.nodes.append(copy)
        self.new.update(zip(node.outputs, results, strict=True))
        self.maker.update((value.id, copy) for value in results)
        return results

    def replace(self, node: Node, values: Sequence[Val]) -> None:
        """Let `values` of the new graph stand for the node's results."""
        self.new.update(zip(node.outputs, values, strict=True))

    def emitting(self, node: Node, write: Callable[[], Val | None]) -> Val | None:
        """Call `write`, which may emit nodes in the place of `node`: the last of them takes its address, the others one below it."""
        self.builder.place, self.builder.scope = node.place, node.address
        start = len(self.builder.nodes)
        value = write()
        for at in range(start, len(self.builder.nodes)):
            new = self.builder.nodes[at]
            result = value is not None and value.id in new.outputs
            self.enter(at, node.address if result else self.free(new.address))
        return value

    def constant(self, node: Node, dtype: DType, array: Any) -> Val:
        """Put a constant in the place of `node`; attributes nest twice at most, so above rank 2 it is a flat one that is reshaped."""
        self.builder.place = node.place
        start = len(self.builder.nodes)
        flat = array.ndim > 2
        attrs: dict[str, Attr] = {"value": nested((array.reshape(-1) if flat else array).tolist()), "dtype": dtype}
        (value,) = self.builder.emit("constant", (), attrs, address=self.free(f"{node.address}.flat") if flat else node.address)
        if flat:
            (value,) = self.builder.emit("reshape", (value,), {"shape": array.shape}, address=node.address)
        for at in range(start, len(self.builder.nodes)):
            self.enter(at, self.builder.nodes[at].address)
        self.replace(node, (value,))
        return value

    def enter(self, at: int, address: str) -> None:
        node = self.builder.nodes[at]
        if node.address != address:
            node = self.builder.nodes[at] = node.model_copy(update={"address": address})
        self.maker.update(dict.fromkeys(node.outputs, node))

    def free(self, address: str) -> str:
        """The address, or one beside it where an earlier pass has used it."""
        while address in self.addresses:
            address += "_"
        self.addresses.add(address)
        return address

    def finish(self) -> Graph:
        """The new graph, with the outputs and updates of the old one."""
        self.builder.outputs = [Output(name=item.name, id=self.new[item.id].id) for item in self.graph.outputs]
        self.builder.updates = [Output(name=item.name, id=self.new[item.id].id) for item in self.graph.updates]
        return self.builder.build()


def part(graph: Graph, nodes: Iterable[Node], outputs: Sequence[Output], updates: Sequence[Output]) -> Graph:
    """The graph with these of its nodes (in order), all of its inputs, and value ids counted anew."""
    new = {item.id: at for at, item in enumerate(graph.inputs)}
    types: list[TensorType] = [graph.types[item.id] for item in graph.inputs]
    kept = []
    for node in nodes:
        inputs = tuple(new[id] for id in node.inputs)
        for id in node.outputs:
            new[id] = len(types)
            types.append(graph.types[id])
        kept.append(renamed(node, inputs, tuple(new[id] for id in node.outputs)))
    return Graph(
        name=graph.name,
        types=tuple(types),
        inputs=tuple(item.model_copy(update={"id": new[item.id]}) for item in graph.inputs),
        nodes=tuple(kept),
        outputs=tuple(Output(name=item.name, id=new[item.id]) for item in outputs),
        updates=tuple(Output(name=item.name, id=new[item.id]) for item in updates),
    )


def nested(value: Any) -> Any:
    """Lists as tuples."""
    return tuple(nested(item) for item in value) if isinstance(value, list) else value
