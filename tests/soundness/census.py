"""What random networks hold: operators, edges, sizes, and the corners that they are meant to reach."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import Any

from dslc.interpret import bind_dims
from dslc.ir.graph import Graph, Node
from dslc.ops.table import lookup
from tests.reliability.campaign import Tally

WINDOWS = ("conv", "conv_transpose", "max_pool", "avg_pool", "sum_pool", "lp_pool", "max_pool_indices", "unfold")
PRIMES = frozenset((5, 7, 11, 13, 17, 19, 23))


def count_forward(graph: Graph, arrays: Mapping[str, Any], tally: Tally) -> None:
    """The operators of a network as it is written, who feeds whom, ranks and corners."""
    makers = {id: node.op for node in graph.nodes for id in node.outputs}
    sizes = bind_dims(graph, arrays)
    for node in graph.nodes:
        tally.note("operators, forward", node.op)
        for id in node.inputs:
            if id in makers:
                tally.note("edges of operators", f"{makers[id]} → {node.op}")
    for type in graph.types:
        tally.note("ranks", str(type.rank))
    for corner in set(corners(graph, sizes)):
        tally.note("networks with", corner)


def count_gradient(graph: Graph, forward: Graph, tally: Tally) -> None:
    """The operators that differentiation wrote."""
    for node in graph.nodes[len(forward.nodes) :]:
        tally.note("operators, gradient", node.op)


def corners(graph: Graph, sizes: Mapping[str, int]) -> Iterator[str]:
    shapes = {id: type.sizes(sizes) for id, type in enumerate(graph.types)}
    every = {size for shape in shapes.values() for size in shape}
    if any(1 in shape for shape in shapes.values()):
        yield "an axis of size 1"
    if not PRIMES.isdisjoint(every):
        yield "an axis of prime size above 3"
    for node in graph.nodes:
        yield from of_node(node, graph, shapes)
    yield from of_flow(graph)


def of_node(node: Node, graph: Graph, shapes: Mapping[int, tuple[int, ...]]) -> Iterator[str]:
    if node.op in WINDOWS:
        yield from of_window(node, [shapes[id] for id in node.inputs])
    if lookup(node.op).kind == "elementwise" and len({shapes[id] for id in node.inputs if shapes[id]}) > 1:
        yield "operands of different shapes"


def of_window(node: Node, shapes: list[tuple[int, ...]]) -> Iterator[str]:
    axes = len(shapes[0]) - 2
    kernel = shapes[1][2:] if "kernel" not in node.attrs else each(node.attrs["kernel"], axes)
    stride = each(node.attrs.get("stride") or kernel, axes)
    dilation = each(node.attrs.get("dilation", 1), axes)
    pad: Any = node.attrs.get("pad", 0)
    if any(s > k for s, k in zip(stride, kernel, strict=True)):
        yield "a stride above its kernel"
    if any(d * (k - 1) + 1 > n for d, k, n in zip(dilation, kernel, shapes[0][2:], strict=True)):
        yield "a kernel above its input"
    if any(d > 1 for d in dilation):
        yield "a dilation"
    if pad == "same" or (isinstance(pad, tuple) and any(isinstance(pair, tuple) and pair[0] != pair[1] for pair in pad)):
        yield "pads of two sizes"
    if node.attrs.get("groups", 1) != 1:
        yield "groups"
    if node.attrs.get("ceil"):
        yield "a window that is cut off"


def each(value: Any, axes: int) -> tuple[int, ...]:
    return (value,) * axes if isinstance(value, int) else tuple(value)


def of_flow(graph: Graph) -> Iterator[str]:
    readers = Counter(id for node in graph.nodes for id in set(node.inputs))
    weights = {item.id for item in graph.inputs if item.kind == "weight"}
    constants = {node.outputs[0] for node in graph.nodes if not node.inputs}
    if any(count >= 3 for id, count in readers.items() if id not in constants):
        yield "a value with three readers"
    if any(readers[id] >= 2 for id in weights):
        yield "a shared weight"
    if any(meets(graph)):
        yield "a diamond"


def meets(graph: Graph) -> Iterator[bool]:
    """For each node whether two of its operands come from one computed value."""
    behind: dict[int, int] = {item.id: 0 for item in graph.inputs}  # sets of nodes, as bits
    for at, node in enumerate(graph.nodes):
        own = 1 << at if node.inputs else 0
        sources = {id: behind[id] for id in node.inputs}
        yield any(left & right for left, right in combinations(sources.values(), 2))
        reached = own
        for source in sources.values():
            reached |= source
        behind.update(dict.fromkeys(node.outputs, reached))
