"""The part of a graph that computes with whole numbers, all of it, wherever it stands: there results must agree in every bit.

`opened` runs a graph on small integers. A node that cannot round (`rounding.exactly`) is kept; the results of any other become inputs
of the new graph, filled with small integers as well. So what stands behind a `tanh` or a division is kept too. Constants become multiples of 1/8.
The loss is the sum of what nothing else reads, each times whole numbers of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from dslc.interpret import bind_dims, quiet, run_node
from dslc.ir.graph import Graph, Node
from dslc.ir.types import TensorType
from dslc.ops.value import Builder, F, Val
from dslc.passes.rewrite import renamed
from tests.soundness.rounding import exactly

LARGEST = 3  # of the integers that are filled in
EIGHTHS = 8


class Opening:
    """One walk through a graph, which builds the new one and computes its values."""

    def __init__(self, graph: Graph, arrays: Mapping[str, Any], seed: int) -> None:
        self.graph = graph
        self.numbers = np.random.default_rng(seed)
        self.builder = Builder(graph.name)
        self.arrays: dict[str, Any] = {}
        self.new: dict[int, Val] = {}
        self.values: dict[int, Any] = {}
        self.read: set[int] = set()
        self.kept = 0
        sizes = bind_dims(graph, arrays)
        for item in graph.inputs:
            self.input(item.id, item.kind, item.name, arrays[item.name])
        with quiet(np):
            for node in graph.nodes:
                self.visit(node, sizes)
        self.finish()

    def input(self, id: int, kind: Any, name: str, array: Any) -> None:
        """An input of the new graph that stands for a value of the old one."""
        self.new[id] = self.builder.input(kind, name, self.graph.types[id])
        self.arrays[name] = self.values[id] = self.filled(array)

    def filled(self, array: Any) -> Any:
        """Small integers, few of them 0, in the place of floats; other numbers stay."""
        if array.dtype.kind != "f":
            return np.array(array)
        signs = self.numbers.choice((-1, 1), array.shape)
        return (signs * self.numbers.integers(0, LARGEST, array.shape, endpoint=True)).astype(array.dtype)

    def visit(self, node: Node, sizes: Mapping[str, int]) -> None:
        operands = [self.values[id] for id in node.inputs]
        node = rounded(node) if node.op == "constant" else node
        results = run_node(np, node, operands, sizes)
        if exactly(node, operands, results):
            self.keep(node, results)
            return
        for id, result in zip(node.outputs, results, strict=True):
            self.input(id, "data", f"open.{id}", result)

    def keep(self, node: Node, results: Any) -> None:
        values = tuple(self.builder.value(self.graph.types[id]) for id in node.outputs)
        inputs = tuple(self.new[id].id for id in node.inputs)
        self.builder.nodes.append(renamed(node, inputs, tuple(value.id for value in values)))
        self.new.update(zip(node.outputs, values, strict=True))
        self.values.update(zip(node.outputs, results, strict=True))
        self.read.update(node.inputs)
        self.kept += 1

    def finish(self) -> None:
        """Outputs: the loss, and what it cannot hold because it is no float."""
        self.builder.scope = "loss"
        dtype = self.graph.types[self.graph.output("loss")].dtype
        total = self.builder.constant(0, dtype)
        outside = {item.name for item in self.builder.inputs}
        ends = [id for node in self.graph.nodes for id in node.outputs if id not in self.read and f"open.{id}" not in outside]
        for id in ends:
            value = self.new[id]
            if value.type.dtype is dtype:
                total = total + F.sum(value * self.weight(id, value.type))
            else:
                self.builder.output(f"value.{id}", value)
        self.builder.output("loss", total)

    def weight(self, id: int, type: TensorType) -> Val:
        name = f"weight.{id}"
        self.arrays[name] = self.filled(self.values[id])
        return self.builder.input("data", name, type)


def opened(graph: Graph, arrays: Mapping[str, Any], seed: int) -> tuple[Graph, dict[str, Any]]:
    """The new graph, and arrays for its inputs."""
    found = Opening(graph, arrays, seed)
    return found.builder.build(), found.arrays


def rounded(node: Node) -> Node:
    """A constant of multiples of 1/8, none of which is 0 where it was not."""
    dtype: Any = node.attrs["dtype"]
    if not dtype.is_float:
        return node
    return node.model_copy(update={"attrs": {**node.attrs, "value": eighths(node.attrs["value"])}})


def eighths(value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(map(eighths, value))
    if not np.isfinite(value) or value == 0:
        return value
    return float((round(abs(value) * EIGHTHS) or 1) / EIGHTHS * (1 if value > 0 else -1))
