"""What is drawn of a network: its layers and operators as parts, blocks as groups, and which value goes where.

A block that calls no other block is one part (a `conv` with its weights and bias). A block that calls others is a group. Constants and
weights are not drawn.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from dslc.ir.graph import Graph, Node
from dslc.ir.types import TensorType
from dslc.ops.table import lookup
from dslc.passes.drop_dead import drop_dead
from dslc.program import Network

Call = tuple[str, int]  # address of an expansion, and which of its calls: a shared layer is called more than once
ROOT: Call = ("", 0)
SIGNS = {"add": "+", "subtract": "−", "multiply": "×", "divide": "÷"}
WEIGHTY = ("conv", "linalg", "norm", "pool", "loss", "random", "scan")  # which operator gives a block its colour


@dataclass
class Part:
    """A box: `kind` gives its colour, `rows` are (words, figure) lines, `sign` is drawn in a circle instead."""

    kind: str
    rows: list[tuple[str, str]]
    tip: str
    group: Call
    sign: str = ""
    inputs: list[int] = field(default_factory=list)  # value ids that come from other parts
    outputs: list[int] = field(default_factory=list)  # value ids that go to other parts, or are published


@dataclass
class Diagram:
    """Parts in topological order, the parent of every group, titles of groups, the types of values."""

    parts: list[Part]
    parents: dict[Call, Call]
    titles: dict[Call, str]
    types: tuple[TensorType, ...]


def make_diagram(network: Network) -> Diagram:
    """The diagram of a network in its evaluation phase."""
    graph = drop_dead(network.evaluate)
    scopes = Scopes(network, graph)
    owners = [scopes.owner(graph, node) for node in graph.nodes]
    parts: dict[object, Part] = {}
    made: dict[int, object] = {}  # value id -> key of the part that makes it
    for item in graph.inputs:
        if item.kind in ("input", "data"):
            made[item.id] = ("input", item.id)
            parts[made[item.id]] = Part("input", [(item.name, "")], f"input {item.name}", ROOT)
    for at, (node, (call, leaf)) in enumerate(zip(graph.nodes, owners, strict=True)):
        if node.op == "constant":
            continue
        key = call if leaf else at
        if key not in parts:
            parts[key] = Part("", [], node.place, scopes.parent(call) if leaf else call)
        made.update((id, key) for id in node.outputs)
    fill(parts, graph, owners, network)
    connect(parts, graph, made)
    joined = join(ordered(parts), graph)
    joined += [
        Part("output", [(item.name, "")], f"output {item.name}", ROOT, inputs=[item.id]) for item in graph.outputs if item.id in made
    ]
    return Diagram(joined, scopes.parents, scopes.titles, graph.types)


class Scopes:
    """Which expansion a node belongs to, told from its address; the calls of a shared layer are told apart by counting."""

    def __init__(self, network: Network, graph: Graph) -> None:
        self.calls = Counter(row.address for row in network.layers)
        self.blocks = {row.address: row.block for row in network.layers}
        self.inner = {address for address in self.blocks if any(other.startswith(f"{address}.") for other in self.blocks)}
        self.parents: dict[Call, Call] = {}
        self.titles: dict[Call, str] = {ROOT: network.name}
        self.totals: Counter[str] = Counter()
        self.seen: Counter[str] = Counter()
        for node in graph.nodes:
            self.totals[self.scope(node.address)] += 1

    def scope(self, address: str) -> str:
        """The nearest expansion around an address: `Net.stage0.residual0/add0` -> `Net.stage0.residual0`; "" is the network."""
        path = address.rpartition("/")[0]
        while path and path not in self.blocks:
            path = path.rpartition(".")[0]
        return path

    def owner(self, graph: Graph, node: Node) -> tuple[Call, bool]:
        """The call that the node stands in, and whether it is a leaf; asked once for each node, in order."""
        address = self.scope(node.address)
        number = self.seen[address] * self.calls[address] // self.totals[address] if address else 0
        self.seen[address] += 1
        call = (address, number)
        self.know(call)
        return call, bool(address) and address not in self.inner

    def know(self, call: Call) -> None:
        """Enter a call and all around it."""
        while call != ROOT and call not in self.parents:
            address, number = call
            around = self.scope(f"{address.rpartition('.')[0]}/")
            outer = (around, number * self.calls[around] // self.calls[address]) if around else ROOT
            self.parents[call], self.titles[call] = outer, self.blocks[address]
            call = outer

    def parent(self, call: Call) -> Call:
        return self.parents[call]


def fill(parts: dict[object, Part], graph: Graph, owners: Sequence[tuple[Call, bool]], network: Network) -> None:
    """Words, figures and colours of the parts."""
    sizes = {weight.address: weight.type for weight in network.weights}
    blocks = {row.address: row.block for row in network.layers}
    members: dict[object, list[Node]] = {}
    for at, (node, (call, leaf)) in enumerate(zip(graph.nodes, owners, strict=True)):
        members.setdefault(call if leaf else at, []).append(node)
    for key, part in parts.items():
        if part.kind:
            continue
        nodes = members[key]
        main = min(nodes, key=lambda node: rank(lookup(node.op).kind))
        part.kind = lookup(main.op).kind
        name, figure = main.op, ""
        if isinstance(key, tuple):
            address = str(key[0])
            name = blocks[address]
            own = sum(type.elements.constant for path, type in sizes.items() if path.rpartition(".")[0] == address)
            figure = f"{own:,}" if own else ""
            part.tip = f"{address} ({part.tip})"
        elif main.op in SIGNS and len(set(main.inputs)) == 2:
            part.sign = SIGNS[main.op]
        detail = details(main, graph)
        part.rows = [(f"{name} {detail}".strip(), figure)]


def rank(kind: str) -> int:
    return WEIGHTY.index(kind) if kind in WEIGHTY else len(WEIGHTY)


def details(node: Node, graph: Graph) -> str:
    """`5×5`, `3×3 /2`: kernel and stride."""
    attrs = node.attrs
    kernel = attrs.get("kernel")
    if kernel is None and node.op.startswith("conv"):
        kernel = tuple(str(size) for size in graph.types[node.inputs[1]].shape[2:])
    if kernel is None:
        return ""
    stride = attrs.get("stride") or 1
    strides = set(stride) if isinstance(stride, tuple) else {stride}
    text = "×".join(str(size) for size in kernel) if isinstance(kernel, tuple) else f"{kernel}×{kernel}"
    if node.op.startswith("conv") and strides != {1}:
        text += " /" + "×".join(str(step) for step in sorted(strides, key=str))
    return text


def connect(parts: dict[object, Part], graph: Graph, made: dict[int, object]) -> None:
    """Inputs and outputs of the parts: the values that pass between them."""
    for node in graph.nodes:
        here = made.get(node.outputs[0])
        if here is None:
            continue
        for id in node.inputs:
            source = made.get(id)
            if source is None or source == here:
                continue
            if id not in parts[here].inputs:
                parts[here].inputs.append(id)
            if id not in parts[source].outputs:
                parts[source].outputs.append(id)
    for output in graph.outputs:
        if output.id in made and output.id not in parts[made[output.id]].outputs:
            parts[made[output.id]].outputs.append(output.id)


def ordered(parts: dict[object, Part]) -> list[Part]:
    """Parts after those that they read (a part begins at its first node but may read a value that is made later)."""
    makers = {id: part for part in parts.values() for id in part.outputs}
    done: dict[int, Part] = {}
    waiting = list(reversed(parts.values()))
    active: set[int] = set()
    while waiting:
        part = waiting[-1]
        open_ones = [other for other in (makers[value] for value in part.inputs) if id(other) not in done and id(other) not in active]
        if id(part) in done or not open_ones:
            done.setdefault(id(part), part)
            waiting.pop()
            continue
        active.add(id(part))
        waiting += reversed(open_ones)
    return list(done.values())


def join(parts: list[Part], graph: Graph) -> list[Part]:
    """Draw a part directly under the only one that feeds it, as one card, where the shape stays: conv, batch_norm, relu."""
    makers = {id: part for part in parts for id in part.outputs}
    readers = Counter(id for part in parts for id in part.inputs)
    readers.update(output.id for output in graph.outputs)
    kept: list[Part] = []
    for part in parts:
        upper = makers.get(part.inputs[0]) if len(part.inputs) == 1 else None
        if upper is None or upper.kind == "input" or upper.group != part.group or part.sign or upper.sign or len(part.outputs) != 1:
            kept.append(part)
            continue
        (value,) = part.inputs
        if upper.outputs != [value] or readers[value] != 1 or graph.types[value] != graph.types[part.outputs[0]]:
            kept.append(part)
            continue
        upper.rows += part.rows
        upper.tip += f"; {part.tip}"
        upper.outputs = part.outputs
        makers[part.outputs[0]] = upper
    return kept


def shape(diagram: Diagram, value: int) -> str:
    """`20 × 24 × 24`: without the batch axis; the dtype where it is no float."""
    type = diagram.types[value]
    sizes = [str(size) for size in type.shape]
    sizes = sizes[1:] if sizes[:1] == ["batch"] else sizes
    words = " × ".join(f"({size})" if " " in size else size for size in sizes)
    if not words:
        return "scalar" if type.dtype.is_float else str(type.dtype)
    return words if type.dtype.is_float else f"{type.dtype} {words}"
