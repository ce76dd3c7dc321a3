"""At which sizes, and with which values, an exported model is compared with the plain interpreter."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from dslc.ir.graph import Graph, Input, Node
from dslc.ir.types import Dim
from dslc.ops.group_norm import members
from dslc.ops.infer import resolve_attrs
from dslc.ops.pad import has_room
from dslc.ops.support import product

BATCHES = (1, 2, 5)
LENGTHS = (1, 2, 7, 19)
ROWS = len(BATCHES) * len(LENGTHS)
VIEWS = frozenset(["cast", "reshape", "transpose", "slice", "broadcast"])


def grid(graph: Graph) -> list[dict[str, int]]:
    """Sizes to verify at: `batch` 1, 2, 5, every other dim 1, 2, 7, 19, where the graph takes them.

    With two dims these are all pairs; a third one takes another value in each round, so that no two dims move together.
    A dim with a lower bound (a window needs so many pixels): the smallest size that fits, an odd and a larger one.
    """
    others = [name for name in graph.dims if name != "batch"]
    rows: list[dict[str, int]] = []
    for i in range(ROWS):
        lengths = {name: LENGTHS[(i + k * (i // len(LENGTHS))) % len(LENGTHS)] for k, name in enumerate(others)}
        sizes = {name: lengths.get(name, BATCHES[i % len(BATCHES)]) for name in graph.dims}
        if sizes not in rows and fits(graph, sizes):
            rows.append(sizes)
    return rows or list(smallest(graph))


def smallest(graph: Graph) -> Iterator[dict[str, int]]:
    """The smallest common size of all dims but `batch` that fits, then an odd and a larger one."""
    least = next((n for n in range(1, 1025) if fits(graph, common(graph, n, 2))), None)
    if least is None:
        return
    for size, batch in ((least, 2), (least + 3 - least % 2, 1), (2 * least + 5, 1)):
        if fits(graph, common(graph, size, batch)):
            yield common(graph, size, batch)


def common(graph: Graph, size: int, batch: int) -> dict[str, int]:
    return {name: batch if name == "batch" else size for name in graph.dims}


def fits(graph: Graph, sizes: Mapping[str, int]) -> bool:
    """Whether every axis has a size, every border has its values, and no group is normalised that becomes one value.

    There (x - mean) / √(variance + ε) is 0 / √ε, and a backend's rounding of x - mean comes out 1/√ε as large.
    """
    if any(dim.evaluate(sizes) < 1 for type in graph.types for dim in type.shape if dim.names):
        return False
    if any(cramped(graph, node, sizes) for node in graph.nodes if node.op in ("pad", "pad_grad")):
        return False
    return not any(single(graph, node, sizes) for node in graph.nodes if node.op == "group_normalize")


def cramped(graph: Graph, node: Node, sizes: Mapping[str, int]) -> bool:
    """Whether an axis has too few values for a border that reflects or wraps it."""
    a: dict[str, Any] = resolve_attrs(node.attrs, sizes)
    x = node.inputs[0] if node.op == "pad" else node.outputs[0]
    return not has_room(graph.types[x].sizes(sizes), a["before"], a["after"], a["mode"])


def single(graph: Graph, node: Node, sizes: Mapping[str, int]) -> bool:
    """Whether the groups have an open size, and one value at these sizes."""
    groups: Any = node.attrs["groups"]
    count = members(graph.types[node.inputs[0]].shape, groups)[2]
    return not count.is_constant and count.evaluate(sizes) == 1


def inputs_for(graph: Graph, sizes: Mapping[str, int], low: float = -1) -> dict[str, np.ndarray]:
    """Values for the network's inputs from the counter-based generator: floats in [low, low + 2), integers that are valid indices."""
    from dslc.ops.philox import stream_of, uniform

    bounds = index_bounds(graph, sizes)

    def values(item: Input) -> np.ndarray:
        type = graph.types[item.id]
        key = np.array([0, 0, 0], np.int64)
        draw = np.asarray(uniform(np, key, stream_of(item.name), type.sizes(sizes), np.dtype("float64")))
        scaled = 2 * draw + low if type.dtype.is_float else np.floor(draw * bounds.get(item.id, 2))
        return np.asarray(scaled.astype(type.dtype.numpy))

    return {item.name: values(item) for item in graph.inputs if item.kind == "input"}


def index_bounds(graph: Graph, sizes: Mapping[str, int]) -> dict[int, int]:
    """For integer inputs that are indices (through views of them): the least number of places that they count."""
    bounds: dict[int, int] = {}
    source = {node.outputs[0]: node.inputs[0] for node in graph.nodes if node.op in VIEWS}
    for node in graph.nodes:
        if node.op not in COUNTED:
            continue
        at, places = COUNTED[node.op]
        index = node.inputs[at]
        while index in source:
            index = source[index]
        count = places(graph, node).evaluate(sizes)
        bounds[index] = min(bounds.get(index, count), count)
    return bounds


def along_axis(graph: Graph, node: Node) -> Dim:
    axis: Any = node.attrs["axis"]
    return graph.types[node.inputs[0]].shape[axis]


def of_plane(graph: Graph, node: Node) -> Dim:
    return product(graph.types[node.outputs[0]].shape[2:])


def of_attribute(graph: Graph, node: Node) -> Dim:
    classes: Any = node.attrs["classes"]
    return Dim.of(classes)


COUNTED: dict[str, tuple[int, Callable[[Graph, Node], Dim]]] = {
    "gather": (1, along_axis),
    "take_along_axis": (1, along_axis),
    "scatter": (1, along_axis),
    "max_unpool": (1, of_plane),
    "one_hot": (0, of_attribute),
}
"""Operator -> which input holds indices, and how many places they count."""
