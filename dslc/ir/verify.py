"""Checks a graph against the rules of the IR. Tests run it after every pass; an error is a fault of the compiler and names the node."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NoReturn

from dslc.diagnostics import InternalError
from dslc.ir.errors import InvalidGraph
from dslc.ir.graph import Attr, Graph, Node
from dslc.ir.types import Dim, tensor

# `verify` stands in `ir` beside what it checks, and asks the operator table (`ops`) when it is called.


def verify(graph: Graph) -> None:
    """Raise InternalError where the graph is not valid.

    Every value is defined once and before its use; nodes have known operators, complete attributes and the types that inference gives;
    names and addresses are unique; dims are known from the inputs (`batch` always is); outputs and updates exist; a random operator
    reads the key.
    """
    waiting = [graph]
    while waiting:
        found = waiting.pop()
        Check(found).run()
        waiting += [node.body for node in found.nodes if node.body is not None]


class Check:
    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.defined: set[int] = set()
        self.dims = frozenset(graph.dims) | {"batch"}  # the number of samples is known to whoever runs a graph without data
        self.keys = {item.id for item in graph.inputs if item.kind == "key"}

    def fail(self, where: str, reason: str) -> NoReturn:
        raise InternalError(InvalidGraph(graph=self.graph.name, where=where, reason=reason))

    def run(self) -> None:
        graph = self.graph
        self.inputs()
        self.unique("address", (node.address for node in graph.nodes))
        for node in graph.nodes:
            self.node(node)
        if len(self.defined) != len(graph.types):
            missing = next(id for id in range(len(graph.types)) if id not in self.defined)
            self.fail(f"%{missing}", "nothing defines it")
        self.results()

    def unique(self, what: str, names: Iterable[str]) -> None:
        seen: set[str] = set()
        for name in names:
            if not name:
                self.fail(f"an empty {what}", f"every {what} has a text")
            if name in seen:
                self.fail(name, f"two have this {what}")
            seen.add(name)

    def define(self, where: str, id: int) -> None:
        if id >= len(self.graph.types):
            self.fail(where, f"%{id} has no type")
        if id in self.defined:
            self.fail(where, f"%{id} is defined a second time")
        self.defined.add(id)

    def inputs(self) -> None:
        self.unique("input name", (item.name for item in self.graph.inputs))
        for item in self.graph.inputs:
            self.define(item.name, item.id)
        if len(self.keys) > 1 or any(self.graph.types[id] != tensor("i64", 3) for id in self.keys):
            self.fail("key", "a graph has one key, of type i64[3]")

    def node(self, node: Node) -> None:
        where = f"{node.address} ({node.op})"
        for id in node.inputs:
            if id not in self.defined:
                self.fail(where, f"%{id} is used before it is defined")
        for id in node.outputs:
            self.define(where, id)
        self.row(node, where)
        if node.op == "multiply" and node.inputs[0] in self.keys:
            self.keys |= set(node.outputs)  # a key whose first sample is another one
        types = [self.graph.types[id] for id in node.outputs]
        unknown = {name for type in types for name in type.names} | {name for value in node.attrs.values() for name in dim_names(value)}
        if unknown - self.dims:
            self.fail(where, f"the size {min(unknown - self.dims)} is not known from the inputs")

    def row(self, node: Node, where: str) -> None:
        """The node against its operator's row."""
        from dslc.ops.infer import bind_attrs
        from dslc.ops.table import Mismatch, infer, lookup

        try:
            row = lookup(node.op)
        except KeyError:
            self.fail(where, "there is no such operator")
        if (node.body is not None) != (row.kind == "scan"):
            self.fail(where, "a body belongs to `scan` and to no other operator")
        if row.random and (not node.inputs or node.inputs[-1] not in self.keys):
            self.fail(where, "its last input is not the key")
        if node.body is not None:
            return  # the types of a scan come from its body, which is checked by itself
        inputs = [self.graph.types[id] for id in node.inputs]
        try:
            attrs = bind_attrs(node.op, node.attrs, inputs)
        except (Mismatch, TypeError, ValueError) as error:
            self.fail(where, str(error))
        if not same_attrs(attrs, node.attrs):
            self.fail(where, f"its attributes are {node.attrs}, complete ones {attrs}")
        try:
            types = infer(node.op, inputs, attrs)
        except (Mismatch, TypeError, ValueError) as error:
            self.fail(where, str(error))
        found = tuple(self.graph.types[id] for id in node.outputs)
        if types != found:
            self.fail(where, f"its results are {shown(found)}, inference gives {shown(types)}")

    def results(self) -> None:
        graph = self.graph
        states = {item.name: graph.types[item.id] for item in graph.inputs if item.kind == "state"}
        for word, items in (("output", graph.outputs), ("update", graph.updates)):
            self.unique(f"{word} name", (item.name for item in items))
            for item in items:
                if item.id not in self.defined:
                    self.fail(item.name, f"its value %{item.id} is not defined")
        for item in graph.updates:
            if item.name in states and states[item.name] != graph.types[item.id]:
                self.fail(item.name, f"the state is {states[item.name]}, its new value {graph.types[item.id]}")


def same_attrs(left: dict[str, Attr], right: dict[str, Attr]) -> bool:
    """Equal values of equal types: 1, 1.0 and true differ."""
    return left.keys() == right.keys() and all(exact(left[key]) == exact(right[key]) for key in left)


def exact(value: Attr) -> Any:
    return tuple(exact(item) for item in value) if isinstance(value, tuple) else (type(value), value)


def dim_names(value: Attr) -> set[str]:
    if isinstance(value, tuple):
        return {name for item in value for name in dim_names(item)}
    return set(value.names) if isinstance(value, Dim) else set()


def shown(types: Sequence[object]) -> str:
    return ", ".join(str(type) for type in types)
