"""Which value was the first that is not finite."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from dslc.interpret import interpret
from dslc.ir.graph import Graph, Node
from dslc.program import Training


class Found(Exception):
    """Stops the interpreter."""


def find(graph: Graph, data: Mapping[str, Any], parameters: Mapping[str, Any], training: Training, key: tuple[int, int, int]) -> str:
    """Address and place of the first value in execution order that is not finite: data, then weights and states, then nodes; or ""."""
    for name, array in data.items():
        if bad(array):
            return f"{name} (the data)"
    for item in (*training.weights, *training.states):
        if bad(parameters[item.address]):
            return located(item.address, item.place)
    keyed = {item.name: np.array(key, np.int64) for item in graph.inputs if item.kind == "key"}

    def look(node: Node, results: Sequence[Any]) -> None:
        if any(bad(result) for result in results):
            raise Found(located(node.address or node.op, node.place))

    try:
        interpret(graph, np, {**parameters, **data, **keyed}, on_node=look)
    except Found as found:
        return str(found)
    return ""


def located(address: str, place: str) -> str:
    return f"{address} ({place})" if place else address


def bad(array: Any) -> bool:
    return bool(array.dtype.kind == "f" and not np.isfinite(array).all())
