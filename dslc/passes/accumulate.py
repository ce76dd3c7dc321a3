"""Metrics and losses over a whole split (R15, R16): one graph for each batch, rules to join its results, one graph for the end.

Every value of an evaluation graph is of one of three sorts:

  same    it does not depend on the samples (constants, weights, states, sizes without `batch`)
  sample  it has the axis `batch`; what happens to one sample does not depend on the others
  joined  it is, or is computed from, a reduction over `batch`

A reduction over `batch` turns sample values into a joined one: the batch graph computes a partial result, partial results are joined
(`JOINS`), and what stands behind the reduction goes into the final graph, where it is applied once. So `exp(mean(x))` is the exponential
of the mean over all samples. Means and losses are joined as total and count (`Op.parts`), the number `batch` by its sum, variances by
their moments; rows that need all samples at once (`Op.gathered`) stand in the final graph, over the gathered values.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

from dslc.diagnostics import SpecError
from dslc.ir.graph import Attr, Graph, Node
from dslc.ir.types import Dim, DType, TensorType
from dslc.ops.covariance import FINISH, moments_of
from dslc.ops.infer import split_inputs
from dslc.ops.support import as_float
from dslc.ops.table import lookup
from dslc.ops.value import Builder, F, Val
from dslc.passes.drop_dead import drop_dead
from dslc.passes.errors import NotJoinable
from dslc.passes.layouts import BATCH, Layouts, batch_axes, coefficient
from dslc.passes.mixing import mixing
from dslc.passes.rewrite import resume
from dslc.passes.steady import steady

Join = Literal["sum", "prod", "max", "min", "all", "any", "logsumexp", "moments", "concat"]
JOINS: dict[str, Join] = {
    "sum": "sum", "count_nonzero": "sum", "class_counts": "sum", "confusion_matrix": "sum", "prod": "prod", "logsumexp": "logsumexp",
    "max": "max", "min": "min", "all": "all", "any": "any",
}  # fmt: skip
WIDE = ("sum", "prod", "logsumexp")  # made of many values: in f64 or i64
Sort = Literal["same", "sample", "joined", "wrong"]


class Accumulation(NamedTuple):
    """batch: outputs are the partial results of one batch (and the updates of the graph). combine: how each is joined over batches.

    final: takes the joined partial results as inputs of the same names and types, and gives the outputs of the graph. Sums, and all floats
    of the final graph, are float64 (int64), so that many batches lose nothing. Values that are gathered ("concat") are joined along
    their first axis, and have sizes of their own there.
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
    ['constant', 'equal', 'divide', 'where', 'sqrt']
    """
    return Splitter(steady(drop_dead(graph))).run()


def widened(value: Attr) -> Attr:
    """An attribute of the final graph: f64 for f32."""
    return DType.f64 if value is DType.f32 else value


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
        self.gathered: dict[int, Val] = {}
        self.sizes: dict[Dim, str] = {}  # of what is gathered
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
            reason = self.layouts.visit(node)
            return self.wrong(node, reason) if reason else self.reduce(node)
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
        if row.gathered:
            return self.gather(node)
        if row.parts is not None:
            inputs, given = self.arguments(node)
            self.values[node.outputs[0]] = self.ratio(node, *row.parts(*inputs, **given))
            return "joined"
        if node.op in FINISH:
            inputs, given = self.arguments(node)
            correction = {"correction": given.pop("correction")} if "correction" in given else {}
            moments = moments_of(inputs[0], inputs[-1], **given)
            self.values[node.outputs[0]] = FINISH[node.op](self.input(f"{node.address}.moments", moments, "moments"), **correction)
            return "joined"
        if node.op not in JOINS:
            return self.wrong(node, f"`{node.op}` mixes the samples of a batch, and its results cannot be joined over batches")
        (id,) = node.outputs
        self.values[id] = self.partial(node, Val(self.builder, id), JOINS[node.op])
        return "joined"

    def arguments(self, node: Node) -> tuple[list[Val], dict[str, Any]]:
        """The required inputs of a node, and its optional ones and settings by name."""
        inputs, optional = split_inputs(node.op, [Val(self.builder, id) for id in node.inputs], node.attrs)
        return inputs, optional | {key: value for key, value in node.attrs.items() if key != "optional"}

    def ratio(self, node: Node, total: Val, count: Val) -> Val:
        """total / count; 0 where nothing counts."""
        above = self.input(f"{node.address}.total", self.wide(total), "sum")
        below = self.input(f"{node.address}.count", self.wide(count), "sum")
        zero = self.final.constant(0, DType.f64)
        return F.where(F.equal(below, zero), zero, above / below)

    def count(self, node: Node) -> Sort:
        """A size that depends on `batch`, as a number: its part that grows with `batch` is summed."""
        dim: Any = node.attrs["dim"]
        dtype: Any = widened(node.attrs["dtype"])
        linear = coefficient(dim)
        if linear is None:
            return self.wrong(node, f"the size {dim} is not proportional to the number of samples")
        fixed = dim - linear * Dim.of(BATCH)
        grows = self.builder.one("size", (), dim=linear * Dim.of(BATCH), dtype=DType.i64)
        value = as_float(self.input(f"{node.address}.size", grows, "sum"), dtype)
        if fixed != Dim.of(0):
            rest = self.builder.one("size", (), dim=attr_dim(fixed), dtype=dtype)
            value = value + self.input(f"{node.address}.rest", rest, "max")
        self.values[node.outputs[0]] = value
        return "joined"

    def partial(self, node: Node, value: Val, join: Join) -> Val:
        """A partial result, in the final graph with its own dtype (floats: f64). What is added or multiplied is joined in a wide one."""
        dtype = value.type.dtype
        if join in WIDE:
            value = self.wide(value) if dtype.is_float else as_float(value, DType.i64)
        found = self.input(f"{node.address}.result", value, join)
        return found if dtype.is_float else as_float(found, dtype)

    def wide(self, value: Val) -> Val:
        """In f64; a sum or product of f32 values, or a size as f32, is made in f64."""
        node = next((node for node in reversed(self.builder.nodes) if value.id in node.outputs), None)
        if node is None or node.op not in (*WIDE, "size") or value.type.dtype is not DType.f32:
            return as_float(value, DType.f64)
        inputs = [Val(self.builder, id) for id in node.inputs]
        first = [as_float(item, DType.f64) for item in inputs[:1]]
        return self.builder.emit(node.op, [*first, *inputs[1:]], {key: widened(value) for key, value in node.attrs.items()})[0]

    def gather(self, node: Node) -> Sort:
        """A node that needs all samples at once: its inputs are gathered, and it stands in the final graph."""
        ids = {id: None for id in node.inputs if self.sorts[id] == "sample"}
        self.values |= {id: self.whole(node, id) for id in ids}
        self.move(node)
        for id in ids:
            del self.values[id]
        return "joined"

    def whole(self, node: Node, id: int) -> Val:
        """A value of all samples in the final graph; several metrics share it."""
        if id not in self.gathered:
            value = Val(self.builder, id)
            axis = batch_axes(value.type)[0]
            front = (axis, *(other for other in range(value.type.rank) if other != axis))
            moved = F.transpose(value, axes=front) if axis else value
            found = self.input(f"{node.address}.values{node.inputs.index(id)}", moved, "concat", self.rows(moved.type))
            back = tuple(front.index(other) for other in range(value.type.rank))
            self.gathered[id] = F.transpose(found, axes=back) if axis else found
        return self.gathered[id]

    def rows(self, type: TensorType) -> TensorType:
        """The type of gathered values: equal sizes of a batch are equal sizes of the whole, called `rows0`, `rows1`, …"""
        name = self.sizes.setdefault(type.shape[0], f"rows{len(self.sizes)}")
        return TensorType(dtype=type.dtype, shape=(Dim.of(name), *type.shape[1:]))

    def input(self, name: str, value: Val, join: Join, type: TensorType | None = None) -> Val:
        """An output of the batch graph, as an input of the final one; floats are f64 there."""
        self.builder.output(name, value)
        self.combine[name] = join
        found = self.final.input("input", name, type or value.type)
        return as_float(found, DType.f64) if found.type.dtype.is_float else found

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
        """Put the node into the final graph, in f64."""
        inputs = [self.joined(id) for id in node.inputs]
        attrs = {key: widened(value) for key, value in node.attrs.items()}
        results = self.final.emit(node.op, inputs, attrs, address=node.address)
        self.values.update(zip(node.outputs, results, strict=True))


def attr_dim(dim: Dim) -> int | Dim:
    return dim.constant if dim.is_constant else dim
