"""Metrics and losses over a whole split (R15, R16): one graph for each batch, rules to join its results, one graph for the end.

Every value of an evaluation graph is of one of three sorts:

  same    it does not depend on the samples (constants, weights, states, sizes without `batch`)
  sample  it has the axis `batch`; what happens to one sample does not depend on the others
  joined  it is, or is computed from, a reduction over `batch`

A reduction over `batch` turns sample values into a joined one: the batch graph computes a partial result, partial results are joined by
sum, maximum, minimum or `all`, and what stands behind the reduction goes into the final graph, where it is applied once. So
`exp(mean(x))` is the exponential of the mean over all samples. Means and losses are joined as total and count (`Op.parts`), the number
`batch` by its sum.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

from dslc.diagnostics import SpecError
from dslc.ir.graph import Graph, Node
from dslc.ir.types import Dim, DType, TensorType
from dslc.ops.einsum import letters_of
from dslc.ops.infer import split_inputs
from dslc.ops.support import as_float, normal_axes, product
from dslc.ops.table import lookup
from dslc.ops.value import Builder, F, Val
from dslc.passes.drop_dead import drop_dead
from dslc.passes.errors import NotJoinable
from dslc.passes.layouts import BATCH, Layouts, batch_axes, coefficient
from dslc.passes.rewrite import resume

Join = Literal["sum", "max", "min", "all"]
JOINS: dict[str, Join] = {"sum": "sum", "count_nonzero": "sum", "max": "max", "min": "min", "all": "all"}
Sort = Literal["same", "sample", "joined", "wrong"]


class Accumulation(NamedTuple):
    """batch: outputs are the partial results of one batch (and the updates of the graph). combine: how each is joined over batches.

    final: takes the joined partial results as inputs of the same names and types, and gives the outputs of the graph. Sums are float64 or
    int64, so that joining many batches loses nothing.
    """

    batch: Graph
    combine: dict[str, Join]
    final: Graph


def accumulate(graph: Graph) -> Accumulation:
    """Split an evaluation graph. Raises SpecError with a `metric-not-joinable` for each place where that cannot be done.

    >>> from dslc.ir.types import tensor
    >>> b = Builder("rms")
    >>> x = b.input("data", "x", tensor("f32", "batch"))
    >>> b.output("metric.rms", F.sqrt(F.mean(x * x)))
    >>> parts = accumulate(b.build())
    >>> parts.combine
    {'mean0.total': 'sum', 'mean0.count': 'sum'}
    >>> [node.op for node in parts.final.nodes]
    ['constant', 'equal', 'divide', 'where', 'cast', 'sqrt']
    """
    return Splitter(drop_dead(graph)).run()


def has_batch(type: TensorType) -> bool:
    return BATCH in type.names


class Splitter:
    """Walks through the graph once; `values` holds the joined values, as they stand in the final graph."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.builder = resume(graph)
        self.builder.outputs = []
        self.final = Builder(graph.name)
        self.combine: dict[str, Join] = {}
        self.sorts: dict[int, Sort] = {item.id: "sample" if has_batch(graph.types[item.id]) else "same" for item in graph.inputs}
        self.layouts = Layouts(graph)
        self.values: dict[int, Val] = {}
        self.makers = {id: node for node in graph.nodes for id in node.outputs}
        self.errors: list[NotJoinable] = []

    def run(self) -> Accumulation:
        for node in self.graph.nodes:
            self.builder.place = self.final.place = node.place
            self.builder.scope = f"{node.address}.parts"
            self.final.scope = f"{node.address}.joined"
            sort = self.visit(node)
            self.sorts.update(dict.fromkeys(node.outputs, sort))
        for item in self.graph.outputs:
            if self.sorts[item.id] == "sample":
                self.wrong(self.makers.get(item.id), "its value still has the axis `batch`", item.name)
            elif self.sorts[item.id] != "wrong":
                self.final.output(item.name, self.joined(item.id))
        if self.errors:
            raise SpecError(self.errors)
        return Accumulation(drop_dead(self.builder.build()), self.combine, drop_dead(self.final.build()))

    def visit(self, node: Node) -> Sort:
        """The sort of a node's results; joined ones are put into the final graph."""
        sorts = {self.sorts[id] for id in node.inputs}
        if "wrong" in sorts:
            return "wrong"
        if node.op == "size" and any(BATCH in value.names for value in node.attrs.values() if isinstance(value, Dim)):
            return self.count(node)
        carries = [has_batch(self.graph.types[id]) for id in node.outputs]
        if "joined" in sorts:
            if "sample" in sorts or any(carries):
                return self.wrong(node, "the result of a reduction over `batch` meets values of single samples")
            self.move(node)
            return "joined"
        if "sample" in sorts and not any(carries):
            return self.reduce(node)
        if any(carries):
            reason = mixing(self.graph, node) or self.layouts.visit(node)
            return self.wrong(node, reason) if reason else "sample"
        return "same"

    def wrong(self, node: Node | None, reason: str, name: str = "") -> Sort:
        place = (node.place or node.address) if node is not None else "its declaration"
        error = NotJoinable(name=name or self.affected(node), place=place, reason=reason)
        if error not in self.errors:
            self.errors.append(error)
        return "wrong"

    def affected(self, node: Node | None) -> str:
        """The first output that depends on the node."""
        reached = set(node.outputs if node is not None else ())
        for other in self.graph.nodes:
            if not reached.isdisjoint(other.inputs):
                reached.update(other.outputs)
        return next((item.name for item in self.graph.outputs if item.id in reached), self.graph.name)

    # ---- joined values ------------------------------------------------------------------------------------------------------------

    def reduce(self, node: Node) -> Sort:
        """A node that takes the axis `batch` away."""
        row = lookup(node.op)
        if row.parts is not None:
            inputs, optional = split_inputs(node.op, [Val(self.builder, id) for id in node.inputs], node.attrs)
            settings = {key: value for key, value in node.attrs.items() if key != "optional"}
            total, count = row.parts(*inputs, **optional, **settings)
            self.values[node.outputs[0]] = self.ratio(node, total, count)
            return "joined"
        if node.op not in JOINS:
            return self.wrong(node, f"`{node.op}` mixes the samples of a batch, and its results cannot be joined over batches")
        (id,) = node.outputs
        self.values[id] = self.partial(node, "result", Val(self.builder, id), JOINS[node.op])
        return "joined"

    def ratio(self, node: Node, total: Val, count: Val) -> Val:
        """total / count in float64; 0 where nothing counts."""
        type = self.graph.types[node.outputs[0]]
        above = self.sum_of(node, "total", as_float(total, DType.f64))
        below = self.sum_of(node, "count", as_float(count, DType.f64))
        zero = self.final.constant(0, DType.f64)
        return as_float(F.where(F.equal(below, zero), zero, above / below), type.dtype)

    def count(self, node: Node) -> Sort:
        """A size that depends on `batch`, as a number: its part that grows with `batch` is summed."""
        dim: Any = node.attrs["dim"]
        dtype: Any = node.attrs["dtype"]
        linear = coefficient(dim)
        if linear is None:
            return self.wrong(node, f"the size {dim} is not proportional to the number of samples")
        fixed = dim - linear * Dim.of(BATCH)
        grows = self.sum_of(node, "size", self.builder.one("size", (), dim=linear * Dim.of(BATCH), dtype=DType.i64))
        value = as_float(grows, dtype)
        if fixed != Dim.of(0):
            value = value + self.partial(node, "rest", self.builder.one("size", (), dim=attr_dim(fixed), dtype=dtype), "max")
        self.values[node.outputs[0]] = value
        return "joined"

    def sum_of(self, node: Node, what: str, value: Val) -> Val:
        """A partial sum, in the final graph with the dtype in which it is joined."""
        return self.input(f"{node.address}.{what}", value, "sum")

    def partial(self, node: Node, what: str, value: Val, join: Join) -> Val:
        """A partial result, in the final graph with its own dtype. Sums are joined in a wider one."""
        dtype = value.type.dtype
        if join != "sum":
            return self.input(f"{node.address}.{what}", value, join)
        return as_float(self.sum_of(node, what, as_float(value, DType.f64 if dtype.is_float else DType.i64)), dtype)

    def input(self, name: str, value: Val, join: Join) -> Val:
        self.builder.output(name, value)
        self.combine[name] = join
        return self.final.input("input", name, value.type)

    def joined(self, id: int) -> Val:
        """A value in the final graph. One that is the same for all batches is handed over by any batch: as the maximum of equal ones."""
        if id not in self.values:
            node = self.makers.get(id)
            value = Val(self.builder, id)
            if node is not None and node.op == "constant":
                self.move(node)
            else:
                name = f"{node.address}.same{node.outputs.index(id)}" if node is not None else self.input_name(id)
                self.values[id] = self.input(name, value, "all" if value.type.dtype is DType.bool else "max")
        return self.values[id]

    def input_name(self, id: int) -> str:
        return next(item.name for item in self.graph.inputs if item.id == id) + ".same"

    def move(self, node: Node) -> None:
        """Put the node into the final graph."""
        inputs = [self.joined(id) for id in node.inputs]
        types = [self.graph.types[id] for id in node.outputs]
        results = self.final.emit(node.op, inputs, node.attrs, types=types, address=node.address)
        self.values.update(zip(node.outputs, results, strict=True))


# ---- sizes and mixing -----------------------------------------------------------------------------------------------------------------


def attr_dim(dim: Dim) -> int | Dim:
    return dim.constant if dim.is_constant else dim


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
    if node.op == "reshape":
        return "" if same_place(graph.types[node.inputs[0]], graph.types[node.outputs[0]]) else "`reshape` mixes the samples of a batch"
    if node.op == "einsum" and len(batch_letters(graph, node)) > 1:
        return "`einsum` combines every sample with every other"
    if lookup(node.op).kind in ("conv", "pool") and any(axis > 1 for id in node.inputs for axis in batch_axes(graph.types[id])):
        return f"`{node.op}` has windows over the axis `batch`"
    if along_batch(graph, node) or places_of_batch(graph, node):
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


def along_batch(graph: Graph, node: Node) -> bool:
    """Whether the `axis` of an operator that looks at all of it is the batch axis. A concatenation only makes more samples."""
    axis: Any = node.attrs.get("axis")
    if axis is None or not node.inputs or node.op in ("concat", "stack", "squeeze", "unsqueeze") or lookup(node.op).kind == "reduce":
        return False
    x = graph.types[node.inputs[0]]
    return not set(normal_axes(axis, x.rank)).isdisjoint(batch_axes(x))


def same_place(before: TensorType, after: TensorType) -> bool:
    """Whether a reshape leaves each sample's elements together: as many elements stand before the batch axis as before."""
    left, right = batch_axes(before), batch_axes(after)
    return len(left) == len(right) == 1 and product(before.shape[: left[0]]) == product(after.shape[: right[0]])
