"""What the graphs of a training do with data fields: bounds of the labels, indices and targets that come straight from the data.

A wrong label or index is found before the training, with its sample; without this it would be found when its batch comes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from dslc.ir.graph import Graph, Node
from dslc.ir.types import DType, TensorType
from dslc.passes.differentiate import input_names
from dslc.program import Training
from runtime.data.bounds import Bound, of_classes

SAME_VALUES = frozenset(["cast", "identity", "stop_gradient", "reshape", "flatten", "squeeze", "unsqueeze", "transpose", "broadcast"])
MARGINS = Bound(-1, 1, "the targets of `{}` are -1 and 1", "labels 0 and 1 become targets by `2 * label - 1`", without=(0,))
PARTS = Bound(-1e-6, 1 + 1e-6, "the targets of `{}` are from 0 to 1", "")  # up to rounding
TARGETS = {"hinge": MARGINS, "squared_hinge": MARGINS, "binary_cross_entropy": PARTS, "focal": PARTS}

INDEXED = frozenset(["gather", "take_along_axis", "scatter"])

Use = Callable[[Node, Mapping[str, TensorType]], Bound | None]


def bounds_of(training: Training) -> dict[str, tuple[Bound, ...]]:
    """Data inputs (`data.label`) -> what all uses of them allow."""
    found: dict[str, dict[Bound, None]] = {}
    for graph in (training.evaluate, training.predict, *(step.graph for step in training.steps)):
        for name, bound in graph_bounds(graph):
            found.setdefault(name, {})[bound] = None
    return {name: tuple(bounds) for name, bounds in found.items()}


def graph_bounds(graph: Graph) -> list[tuple[str, Bound]]:
    """Each use of a data input, or of a value that holds the same numbers, as a label, an index or a target."""
    source = {item.id: item.name for item in graph.inputs if item.kind == "data"}
    found = []
    for node in graph.nodes:
        if node.op in SAME_VALUES and node.inputs[0] in source:
            source[node.outputs[0]] = source[node.inputs[0]]
        if source.keys().isdisjoint(node.inputs):
            continue
        names = input_names(node)
        types = dict(zip(names, (graph.types[id] for id in node.inputs), strict=True))
        for name, id in zip(names, node.inputs, strict=True):
            bound = USES[name](node, types) if id in source and name in USES else None
            if bound is not None:
                found.append((source[id], bound))
    return found


def label_bound(node: Node, types: Mapping[str, TensorType]) -> Bound | None:
    """A class index: one for each prediction of x; where x has the labels' shape there are two classes. What is masked may be anything."""
    x, label = types["x"], types["label"]
    if label.dtype is DType.bool or "mask" in types:
        return None
    axis: Any = node.attrs.get("axis", -1)
    if label.shape == x.shape:
        return of_classes(2, node.op, node.place, ignored(node))
    classes = x.shape[axis]
    return of_classes(classes.constant, node.op, node.place, ignored(node)) if classes.is_constant else None


def ignored(node: Node) -> tuple[int, ...]:
    value: Any = node.attrs.get("ignore")
    return () if value is None else value if isinstance(value, tuple) else (value,)


def index_bound(node: Node, types: Mapping[str, TensorType]) -> Bound | None:
    """An index along an axis of x."""
    if node.op not in INDEXED:
        return None
    axis: Any = node.attrs["axis"]
    return places(node, types["x"].shape[axis])


def places(node: Node, count: Any) -> Bound | None:
    size = count if isinstance(count, int) else count.constant if count.is_constant else 0
    if not size:
        return None
    action = "an index that comes from data counts from 0; a negative one does not count from the end"
    return Bound(0, size - 1, f"it indexes {size} places: 0 to {size - 1}", action, node.op, node.place)


def one_hot_bound(node: Node, types: Mapping[str, TensorType]) -> Bound | None:
    return places(node, node.attrs["classes"]) if node.op == "one_hot" else None


def target_bound(node: Node, types: Mapping[str, TensorType]) -> Bound | None:
    """The target of a loss of two classes."""
    known = TARGETS.get(node.op)
    if known is None or (types["target"].dtype is DType.bool and known is PARTS):
        return None
    return Bound(known.low, known.high, known.allowed.format(node.op), known.action, node.op, node.place, without=known.without)


USES: dict[str, Use] = {"label": label_bound, "index": index_bound, "x": one_hot_bound, "target": target_bound}
"""By the parameter of the row that takes the field."""
