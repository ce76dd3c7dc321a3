"""From a graph to loop nests: every node becomes one or a few nests over arrays that are named by value, `%12`.

Rows whose operators have a nest of their own stand in `FAMILIES`; every other row is run on `Tensor`s. A value that is only another view of
an array (`reshape`, a transposed matrix) has no nest: whoever reads it reads the array.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dslc.ir.graph import Graph, Node
from dslc.ir.types import Dim
from dslc.ops.infer import evaluate
from dslc.ops.table import lookup
from runtime.loops.nest import Array, Index, Loops, Nest, Size
from runtime.loops.tensor import NoNest, Shape, Tensor, Tracer, all_of

VIEWS = frozenset({"reshape", "transpose", "expand_dims", "squeeze", "broadcast_to", "flatten"})


@dataclass
class Lowering:
    """arrays, nests: what has been lowered. views: of a value that is a view, how to read it of a tracer."""

    graph: Graph
    arrays: dict[str, Array] = field(default_factory=dict)
    nests: list[Nest] = field(default_factory=list)
    views: dict[int, Callable[[Tracer], Tensor]] = field(default_factory=dict)

    def shape(self, id: int) -> Shape:
        return tuple(simple(size) for size in self.graph.types[id].shape)

    def dtype(self, id: int) -> str:
        return self.graph.types[id].dtype.numpy

    def tensor(self, id: int, tracer: Tracer) -> Tensor:
        """A value as a tracer reads it."""
        if id in self.views:
            return self.views[id](tracer)
        name = f"%{id}"
        self.arrays.setdefault(name, Array(self.shape(id), self.dtype(id)))
        return tracer.array(name, self.shape(id), self.dtype(id))

    def store(self, tracer: Tracer, id: int, index: Index, value: int, *, adds: bool = False) -> None:
        name = f"%{id}"
        self.arrays.setdefault(name, Array(self.shape(id), self.dtype(id)))
        tracer.writer.store(name, index, value, adds=adds)

    def finish(self, tracer: Tracer, node: Node) -> None:
        results = ", ".join(f"%{id}" for id in node.outputs)
        self.nests.append(tracer.nest(f"{results} = {node.op}({', '.join(f'%{id}' for id in node.inputs)})"))

    # ---- nodes ------------------------------------------------------------------------------------------------------------------

    def node(self, node: Node) -> None:
        """Lower one node. NoNest where it cannot be said in nests."""
        row = lookup(node.op)
        attrs = resolved(node.attrs)
        if node.op == "constant":
            self.constant(node)
        elif node.op in VIEWS:
            self.view(node, attrs)
        elif node.op in FAMILIES:
            FAMILIES[node.op](self, node, attrs)
        elif row.random or row.eval is None or node.body is not None:
            raise NoNest(node.op)
        else:
            self.traced(node, attrs)

    def constant(self, node: Node) -> None:
        value = node.attrs["value"]
        if isinstance(value, (bool, int, float)):
            (id,) = node.outputs
            shape, dtype = self.shape(id), self.dtype(id)
            self.views[id] = lambda tracer: tracer.xp.full(shape, value, dtype)

    def view(self, node: Node, attrs: Mapping[str, Any]) -> None:
        (source,), (result,) = node.inputs, node.outputs
        shape = self.shape(result)

        def read(tracer: Tracer) -> Tensor:
            (found,) = evaluate(node.op, tracer.xp, [self.tensor(source, tracer)], attrs)
            return found if tuple(found.shape) == shape else found.reshape(shape)

        self.views[result] = read

    def copy(self, id: int) -> None:
        """A view written out."""
        tracer = Tracer()
        index = all_of(tracer, self.shape(id))
        value = self.views.pop(id)(tracer).astype(self.dtype(id)).read(index)
        self.store(tracer, id, index, value)
        self.nests.append(tracer.nest(f"%{id}"))

    def traced(self, node: Node, attrs: Mapping[str, Any]) -> None:
        """A row's `eval`, read at every place of its results."""
        tracer = Tracer()
        results = self.evaluated(node, tracer, attrs)
        for id, result in zip(node.outputs, results, strict=True):
            index = all_of(tracer, self.shape(id))
            self.store(tracer, id, index, result.astype(self.dtype(id)).read(index))
        self.finish(tracer, node)

    def evaluated(self, node: Node, tracer: Tracer, attrs: Mapping[str, Any]) -> Sequence[Tensor]:
        try:
            results = evaluate(node.op, tracer.xp, [self.tensor(id, tracer) for id in node.inputs], attrs)
        except (TypeError, AttributeError, ValueError, IndexError) as error:
            raise NoNest(f"{node.op}: {error}") from error
        for id, result in zip(node.outputs, results, strict=True):
            if not isinstance(result, Tensor) or tuple(result.shape) != self.shape(id):
                raise NoNest(f"{node.op}: a result of another shape")
        return results


Lower = Callable[[Lowering, Node, Mapping[str, Any]], None]
FAMILIES: dict[str, Lower] = {}


def family(*names: str) -> Callable[[Lower], Lower]:
    """Register how nodes of these operators are lowered."""

    def register(lower: Lower) -> Lower:
        FAMILIES.update(dict.fromkeys(names, lower))
        return lower

    return register


def simple(size: Dim) -> Size:
    return size.constant if size.is_constant else size


def resolved(attrs: Mapping[str, Any]) -> dict[str, Any]:
    """Attributes with fixed sizes as numbers; open ones stay."""

    def resolve(value: Any) -> Any:
        if isinstance(value, Dim):
            return simple(value)
        return tuple(resolve(item) for item in value) if isinstance(value, tuple) else value

    return {key: resolve(value) for key, value in attrs.items()}


def lower(graph: Graph) -> Loops:
    """All nodes. NoNest where one cannot be said in nests."""
    import runtime.loops.families  # noqa: F401  (fills FAMILIES)

    found = Lowering(graph)
    for node in graph.nodes:
        found.node(node)
    for output in (*graph.outputs, *graph.updates):
        if output.id in found.views:
            found.copy(output.id)
    return Loops(found.arrays, tuple(found.nests))
