"""From a graph to loop nests: every node becomes one or a few nests over arrays that are named by value, `%12`.

Rows whose operators have a nest of their own stand in `FAMILIES`; every other row is run on `Tensor`s. A value that is only another view of
an array (`reshape`, a transposed matrix) has no nest: whoever reads it reads the array.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from dslc.ir.graph import Graph, Node
from dslc.ir.types import Dim
from dslc.ops.infer import evaluate
from dslc.ops.table import lookup
from runtime.loops.interpret import interpret_nest
from runtime.loops.nest import Array, Foreign, Index, Loops, Nest, Size, Taken
from runtime.loops.tensor import Tensor
from runtime.loops.tracer import Shape, Tracer, all_of
from runtime.loops.trim import NoNest, product

VIEWS = frozenset(["reshape", "flatten", "transpose", "squeeze", "unsqueeze", "broadcast", "slice", "split", "flip"])


@dataclass
class Lowering:
    """arrays, steps: what has been lowered. views: of a value that is a view, how to read it of a tracer. checks: arrays that must be 0;

    constants: arrays that are known.
    """

    graph: Graph
    arrays: dict[str, Array] = field(default_factory=dict)
    steps: list[Nest | Foreign] = field(default_factory=list)
    views: dict[int, Callable[[Tracer], Tensor]] = field(default_factory=dict)
    checks: list[str] = field(default_factory=list)
    constants: dict[str, np.ndarray[Any, Any]] = field(default_factory=dict)

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
        self.steps.append(tracer.nest(f"{results} = {node.op}({', '.join(f'%{id}' for id in node.inputs)})"))

    # ---- nodes ------------------------------------------------------------------------------------------------------------------

    def node(self, node: Node) -> None:
        """Lower one node, where it needs arrays after its views are written out. NoNest where it cannot be said in nests."""
        why = self.attempt(node)
        views = [id for id in dict.fromkeys(node.inputs) if id in self.views] if why else []
        for id in views:
            self.copy(id)
        why = self.attempt(node) if views else why
        if why:
            raise why

    def attempt(self, node: Node) -> NoNest | None:
        """Lower one node, or nothing of it."""
        steps, checks = len(self.steps), len(self.checks)
        try:
            self.lowered(node)
        except NoNest as why:
            del self.steps[steps:], self.checks[checks:]
            return why
        return None

    def lowered(self, node: Node) -> None:
        row = lookup(node.op)
        attrs = resolved(node.attrs)
        if node.op == "constant":
            self.constant(node)
        elif node.op in VIEWS:
            self.view(node, attrs)
        elif node.op in FAMILIES:
            FAMILIES[node.op](self, node, attrs)
        elif node.op not in EXPRESSIONS and (row.random or row.eval is None or node.body is not None):
            raise NoNest(node.op)
        else:
            self.traced(node, attrs)

    def constant(self, node: Node) -> None:
        value = node.attrs["value"]
        (id,) = node.outputs
        shape, dtype = self.shape(id), self.dtype(id)
        if isinstance(value, (bool, int, float)):
            self.views[id] = lambda tracer: tracer.xp.full(shape, value, dtype)
        else:
            self.constants[f"%{id}"] = np.array(value, dtype).reshape([int(size) for size in shape])  # type: ignore[arg-type]

    def view(self, node: Node, attrs: Mapping[str, Any]) -> None:
        """Results that are read where they come from; written out where reading takes divisions, NoNest where it cannot be said."""
        (source,) = node.inputs
        for place, result in enumerate(node.outputs):

            def read(tracer: Tracer, place: int = place) -> Tensor:
                return self.evaluated(node, tracer, attrs, [self.tensor(source, tracer)])[place]

            tracer = Tracer()
            read(tracer).read(all_of(tracer, self.shape(result)))
            self.views[result] = read
            if any(isinstance(item, Taken) for item in tracer.indices()):
                self.copy(result)

    def foreign(self, at: int, node: Node, why: str) -> None:
        """A node that runs in another way, on arrays as they stand; `node` has written its views out."""
        for id in (*node.inputs, *node.outputs):
            self.arrays.setdefault(f"%{id}", Array(self.shape(id), self.dtype(id)))
        reads, writes = (tuple(dict.fromkeys(f"%{id}" for id in ids)) for ids in (node.inputs, node.outputs))
        self.steps.append(Foreign(node.op, at, why, reads, writes))

    def copy(self, id: int) -> None:
        """A view written out."""
        tracer = Tracer()
        index = all_of(tracer, self.shape(id))
        value = self.views.pop(id)(tracer).astype(self.dtype(id)).read(index)
        self.store(tracer, id, index, value)
        self.steps.append(tracer.nest(f"%{id}"))

    def traced(self, node: Node, attrs: Mapping[str, Any]) -> None:
        """A row's `eval`, read at every place of its results."""
        tracer = Tracer()
        results = self.evaluated(node, tracer, attrs)
        for id, result in zip(node.outputs, results, strict=True):
            index = all_of(tracer, self.shape(id))
            self.store(tracer, id, index, result.astype(self.dtype(id)).read(index))
        self.finish(tracer, node)
        for number in range(len(tracer.watched)):
            self.check(node, lambda tracer: self.evaluated(node, tracer, attrs), number)

    def check(self, node: Node, trace: Callable[[Tracer], Any], number: int = 0) -> None:
        """Count the indices that are no places, in an array of its own."""
        tracer = Tracer()
        trace(tracer)
        x, count = tracer.watched[number]
        outside = tracer.xp.logical_or(x < 0, x >= count)
        name = f"check{len(self.checks)}"
        self.written(node, name, tracer, tracer.xp.sum(outside))
        nest = self.steps[-1]
        if isinstance(nest, Nest) and self.certainly_zero(nest, name):
            del self.steps[-1], self.arrays[name]
        else:
            self.checks.append(name)

    def certainly_zero(self, nest: Nest, name: str) -> bool:
        """Whether a count over constants alone is 0."""
        points = product(list(nest.axes.values()))
        if not isinstance(points, int) or points > 4096 or not set(nest.reads) <= self.constants.keys():
            return False
        found = np.ones((), np.int64)
        interpret_nest(nest, {**self.constants, name: found}, {})
        return int(found) == 0

    def written(self, node: Node, name: str, tracer: Tracer, value: Tensor) -> None:
        """A nest that writes a value into an array of its own."""
        self.arrays[name] = Array(value.shape, value.dtype.name)
        index = all_of(tracer, value.shape)
        tracer.writer.store(name, index, value.read(index))
        self.steps.append(tracer.nest(f"{name} of {node.op}"))

    def evaluated(self, node: Node, tracer: Tracer, attrs: Mapping[str, Any], given: Sequence[Tensor] | None = None) -> Sequence[Tensor]:
        inputs = [self.tensor(id, tracer) for id in node.inputs] if given is None else given
        try:
            if node.op in EXPRESSIONS:
                results = listed(EXPRESSIONS[node.op](tracer.xp, *inputs, **attrs))
            else:
                results = evaluate(node.op, tracer.xp, inputs, attrs)
        except (TypeError, AttributeError, ValueError, IndexError) as error:
            raise NoNest(f"{node.op}: {error}") from error
        for id, result in zip(node.outputs, results, strict=True):
            if not isinstance(result, Tensor) or tuple(result.shape) != self.shape(id):
                raise NoNest(f"{node.op}: a result of another shape")
        return results


def listed(results: Any) -> Sequence[Any]:
    return results if isinstance(results, tuple) else (results,)


Lower = Callable[[Lowering, Node, Mapping[str, Any]], None]
FAMILIES: dict[str, Lower] = {}
Expression = Callable[..., Any]
EXPRESSIONS: dict[str, Expression] = {}
"""What is said of tensors in another way than in `eval`, with the same arguments."""


def family(*names: str) -> Callable[[Lower], Lower]:
    """Register how nodes of these operators are lowered."""

    def register(lower: Lower) -> Lower:
        FAMILIES.update(dict.fromkeys(names, lower))
        return lower

    return register


def expression(*names: str) -> Callable[[Expression], Expression]:
    """Register what stands in place of the `eval` of these operators."""

    def register(function: Expression) -> Expression:
        EXPRESSIONS.update(dict.fromkeys(names, function))
        return function

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


def lower(graph: Graph, *, whole: bool = True) -> Loops:
    """All nodes. Where one cannot be said in nests: NoNest, or a foreign step if the graph need not be `whole`."""
    import runtime.loops.families  # noqa: F401  (fills FAMILIES)

    found = Lowering(graph)
    for at, node in enumerate(graph.nodes):
        try:
            found.node(node)
        except NoNest as why:
            if whole:
                raise
            found.foreign(at, node, str(why))
    for output in (*graph.outputs, *graph.updates):
        if output.id in found.views:
            found.copy(output.id)
    return Loops(found.arrays, tuple(found.steps), tuple(found.checks), found.constants)
