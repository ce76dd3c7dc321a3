"""The graph IR: flat, frozen, integer value ids, nodes in execution order, a source place and an address on every node."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from dslc.ir.types import Dim, DType, Frozen, TensorType

Id = Annotated[int, Field(ge=0, le=2**31)]
Leaf = bool | int | float | str | DType | Dim | None
Attr = Leaf | tuple[Leaf, ...] | tuple[tuple[Leaf, ...], ...]
"""An attribute. Symbolic sizes are `Dim`s (constant ones are ints); a runtime resolves them before `eval` sees them."""

InputKind = Literal["input", "data", "weight", "state", "key"]


class Input(Frozen):
    """A value that comes from outside.

    kind: "input" a network's input; "data" a data field (`data.image`); "weight", "state": named by address;
    "key": the i64[3] vector (seed, step, first sample number of the batch) that random operators read.
    """

    kind: InputKind
    name: str
    id: Id
    place: str = ""


class Node(Frozen):
    """One application of an operator."""

    op: str
    inputs: tuple[Id, ...]
    outputs: tuple[Id, ...]
    attrs: dict[str, Attr] = {}
    body: Graph | None = None  # only `scan`
    place: str = ""  # file:line:column
    address: str = ""  # Network.block0/op0


class Output(Frozen):
    name: str
    id: Id


class Graph(Frozen):
    """Values are `0 … len(types) - 1`; each is defined once, by an input or a node, before it is used.

    outputs: what the graph publishes; gradients are called `grad:ADDRESS`, losses `loss`, `loss.NAME`, metrics `metric.NAME`.
    updates: (state address, id) pairs that take effect after the step.
    """

    name: str
    types: tuple[TensorType, ...]
    inputs: tuple[Input, ...]
    nodes: tuple[Node, ...]
    outputs: tuple[Output, ...]
    updates: tuple[Output, ...] = ()

    def output(self, name: str) -> int:
        """The id of the output called `name`; KeyError if there is none."""
        for output in self.outputs:
            if output.name == name:
                return output.id
        raise KeyError(name)

    @property
    def dims(self) -> tuple[str, ...]:
        """The symbolic dim names of its inputs, in order of appearance."""
        found: dict[str, None] = {}
        for item in self.inputs:
            for size in self.types[item.id].shape:
                found.update(dict.fromkeys(sorted(size.names)))
        return tuple(found)


Node.model_rebuild()
Graph.model_rebuild()
