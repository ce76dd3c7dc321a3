"""What a network consists of: a row for each layer and operator with its address, output, parameters, multiply-adds and memory.

Numbers are exact and for one sample: `batch` counts as 1, other sizes that are not fixed stay symbolic (`64*time`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import log2
from typing import TYPE_CHECKING

from dslc.ir.graph import Graph, Node
from dslc.ir.types import Dim, TensorType
from dslc.program import Network, Training

if TYPE_CHECKING:
    from dslc.plan import Plan

ONE = {"batch": 1}
SILENT = frozenset(["constant", "cast", "identity", "broadcast"])  # operators that are no layer to people


@dataclass(frozen=True)
class Line:
    """One row: parameters are those of the layer itself, `bytes` those of its output for one sample."""

    address: str
    block: str
    outputs: tuple[TensorType, ...]
    parameters: int
    macs: Dim
    bytes: Dim

    def cells(self) -> tuple[str, ...]:
        shapes = ", ".join(shape_text(type) for type in self.outputs)
        return self.address, self.block, shapes, number_text(self.parameters), count_text(self.macs), bytes_text(self.bytes)


@dataclass(frozen=True, repr=False)
class Summary:
    """The layer table of a network; `print(net.summary())` shows it."""

    name: str
    lines: tuple[Line, ...]
    states: int

    @property
    def parameters(self) -> int:
        return sum(line.parameters for line in self.lines)

    @property
    def macs(self) -> Dim:
        return sum((line.macs for line in self.lines), Dim.of(0))

    @property
    def bytes(self) -> Dim:
        return sum((line.bytes for line in self.lines), Dim.of(0))

    def __str__(self) -> str:
        head = ("layer", "block", "output", "parameters", "multiply-adds", "memory")
        total = ("total", "", "", number_text(self.parameters), count_text(self.macs), bytes_text(self.bytes))
        table = aligned([head, *(line.cells() for line in self.lines), total], right=(3, 4, 5))
        rule = "─" * max(len(line) for line in table)
        kept = f" and {self.states:,} numbers of state" if self.states else ""
        about = f"{self.name}: {self.parameters:,} parameters{kept}. Multiply-adds and memory of outputs are for one sample."
        return "\n".join([table[0], rule, *table[1:-1], rule, table[-1], "", about])

    __repr__ = __str__


def parameter_count(network: Network) -> int:
    return sum(weight.type.elements.constant for weight in network.weights)


def make_summary(network: Network) -> Summary:
    """The table of the evaluation phase, in the order in which the layers run."""
    from dslc.passes.drop_dead import drop_dead

    graph = drop_dead(network.evaluate)
    blocks, inside = {row.address for row in network.layers}, inner(network)
    scopes = [nearest(blocks, node.address.rpartition("/")[0]) for node in graph.nodes]
    found = [(-1, line) for line in outside(network, blocks)]
    found += layer_lines(network, graph, scopes, blocks)
    for at, (node, scope) in enumerate(zip(graph.nodes, scopes, strict=True)):
        if node.op not in SILENT and (not scope or scope in inside):
            types = tuple(graph.types[id] for id in node.outputs)
            address = node.address.replace("/", ".") if scope else node.address.rpartition("/")[2]
            found.append((at, Line(short(network, address), node.op, types, 0, macs(node, graph), memory(types))))
    lines = tuple(line for _, line in sorted(found, key=lambda item: item[0]))
    return Summary(network.name, lines, sum(state.type.elements.constant for state in network.states))


def outside(network: Network, blocks: set[str]) -> Iterable[Line]:
    """The inputs, and weights that stand in no block."""
    none = Dim.of(0)
    for port in network.inputs:
        yield Line(port.name, "input", (port.type,), 0, none, memory((port.type,)))
    for weight in network.weights:
        if not nearest(blocks, weight.address.rpartition(".")[0]):
            yield Line(short(network, weight.address), "weight", (weight.type,), weight.type.elements.constant, none, none)


def layer_lines(network: Network, graph: Graph, scopes: Sequence[str], blocks: set[str]) -> list[tuple[int, Line]]:
    """One line for each expansion, at its first node; a layer that is called again has its parameters in the first line only."""
    own: Counter[str] = Counter()
    for weight in network.weights:
        own[nearest(blocks, weight.address.rpartition(".")[0])] += weight.type.elements.constant
    nodes: dict[str, list[int]] = {}  # of an expansion and all in it
    for at, scope in enumerate(scopes):
        around = scope
        while around:
            nodes.setdefault(around, []).append(at)
            around = nearest(blocks, around.rpartition(".")[0])
    calls, seen = Counter(row.address for row in network.layers), Counter[str]()
    inside, lines, last = inner(network), [], -1
    for row in network.layers:
        members = nodes.get(row.address, [])
        first, stop = (len(members) * (seen[row.address] + k) // calls[row.address] for k in (0, 1))
        mine = [at for at in members[first:stop] if scopes[at] == row.address]
        last = members[first] if first < stop else last
        work = sum((macs(graph.nodes[at], graph) for at in mine), Dim.of(0)) if row.address not in inside else Dim.of(0)
        size = memory(row.outputs) if row.address not in inside else Dim.of(0)
        parameters = 0 if seen[row.address] else own[row.address]
        lines.append((last, Line(short(network, row.address), row.block, row.outputs, parameters, work, size)))
        seen[row.address] += 1
    return sorted(lines, key=lambda item: item[0])


def inner(network: Network) -> set[str]:
    """Addresses of expansions that hold others: what they compute themselves is listed by operator."""
    addresses = [row.address for row in network.layers]
    parts = {address[:at] for address in addresses for at, char in enumerate(address) if char == "."}
    return parts & set(addresses)


def nearest(blocks: set[str] | Mapping[str, object], path: str) -> str:
    """The nearest expansion at or around a path: `Net.stage0.residual0.w` -> `Net.stage0.residual0`; "" is the network itself."""
    while path and path not in blocks:
        path = path.rpartition(".")[0]
    return path


def short(network: Network, address: str) -> str:
    """The address without the network's name."""
    return address.removeprefix(f"{network.name}.")


# ---- numbers ----------------------------------------------------------------------------------------------------------------


def product(sizes: Iterable[Dim]) -> Dim:
    total = Dim.of(1)
    for size in sizes:
        total = total * size
    return total


MACS: dict[str, Callable[[TensorType, list[TensorType]], Dim]] = {
    "matmul": lambda y, x: y.elements * x[0].shape[-1],
    "conv": lambda y, x: y.elements * product(x[1].shape[1:]),
    "conv_transpose": lambda y, x: x[0].elements * product(x[1].shape[1:]),
}


def macs(node: Node, graph: Graph) -> Dim:
    """Multiply-adds of convolutions and matrix products for one sample; those of a scan for all its steps."""
    if node.body is not None:
        inner = sum((macs(inner, node.body) for inner in node.body.nodes), Dim.of(0))
        sequences, carries = node.attrs.get("sequences"), node.attrs.get("carries")
        along = graph.types[node.inputs[0] if sequences else node.outputs[int(str(carries))]]
        return inner * along.shape[1].substitute(ONE)
    count = MACS.get(node.op)
    if count is None:
        return Dim.of(0)
    return count(graph.types[node.outputs[0]], [graph.types[id] for id in node.inputs]).substitute(ONE)


def memory(types: Iterable[TensorType]) -> Dim:
    """Bytes for one sample."""
    return sum((type.bytes.substitute(ONE) for type in types), Dim.of(0))


def shape_text(type: TensorType) -> str:
    text = f"[{', '.join(str(size) for size in type.shape)}]"
    return text if type.dtype.is_float else f"{type.dtype}{text}"


def number_text(number: int) -> str:
    return f"{number:,}" if number else ""


def count_text(count: Dim) -> str:
    return number_text(count.constant) if count.is_constant else str(count)


UNITS = ("KiB", "MiB", "GiB")


def bytes_text(size: Dim) -> str:
    """`45.0 KiB`; a symbolic size in bytes."""
    if not size.is_constant:
        return f"{size} B"
    amount = float(size.constant)
    if amount < 1024:
        return f"{amount:.0f} B" if amount else ""
    power = min(int(log2(amount)) // 10, len(UNITS))
    return f"{amount / 1024**power:,.1f} {UNITS[power - 1]}"


def aligned(table: Sequence[Sequence[str]], right: Sequence[int] = ()) -> list[str]:
    """Lines with aligned columns, two spaces between; the columns in `right` stand at their right edge."""
    widths = [max(len(row[at]) for row in table) for at in range(len(table[0]))]
    lines = []
    for row in table:
        cells = [cell.rjust(width) if at in right else cell.ljust(width) for at, (cell, width) in enumerate(zip(row, widths, strict=True))]
        lines.append("  ".join(cells).rstrip())
    return lines


# ---- training step ------------------------------------------------------------------------------------------------------------


def step_graph(training: Training, after: Callable[[str, Graph], None] | None = None) -> Graph:
    """The graph of a training's first step with its gradients, optimised: what is planned and run."""
    from dslc.passes.differentiate import differentiate
    from dslc.passes.pipeline import optimize

    step = training.steps[0]
    graph = differentiate(step.graph, "loss", step.trains)
    if after is not None:
        after("differentiate", graph)
    return optimize(graph, after)


def step_plan(graph: Graph, trains: Sequence[str], batch: int) -> Plan | tuple[str, ...]:
    """The memory plan at a batch size, or the names of further sizes that are not fixed."""
    from dslc.plan import make_plan

    unknown = tuple(name for name in graph.dims if name != "batch")
    if unknown:
        return unknown
    return make_plan(graph, {"batch": batch}, contiguous=[f"grad:{address}" for address in trains])
