"""How far rounding may move the results of a graph, measured on the graph itself.

`Reference` runs the plain interpreter and answers two questions about each result:

exact     No step on the way to it can round: its operands hold integers (or multiples of a small power of two) and every sum of
          products stays below 2^53, in whatever order it is added. All ways to compute it must agree in every bit.
spread    How far it moves in runs in which every step rounds at random (Monte Carlo arithmetic). A step of a sum or product of length
          K is given operands each moved by `UNITS · √K` roundings, relative to itself: by backward error analysis, a sum of K products
          in any order is the exact sum of products moved by √K roundings (in the worst case K). Every result is moved once more by
          `UNITS` roundings. So a result that hangs on a comparison of nearly equal numbers moves far, and one that does not moves by
          about its own error.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from math import inf, prod, sqrt
from typing import Any

import numpy as np

from dslc.diagnostics import DataError
from dslc.interpret import bind_dims, interpret, quiet, run_node
from dslc.ir.graph import Graph, Node
from dslc.ops.table import lookup

Arrays = Mapping[str, Any]
UNIT = {np.dtype(np.float64): 2.0**-53, np.dtype(np.float32): 2.0**-24}
UNITS = 4.0  # of an elementary function
DIGITS = {np.dtype(np.float64): 53, np.dtype(np.float32): 24}
FINEST = 24  # binary places of what counts as a whole number
NOISE = np.random.default_rng(20).uniform(-1, 1, 1 << 16)


def names(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Results are numbers of the operands, or of a fixed set; comparisons do not round.
MOVING = names(
    """abs ceil clip floor hardshrink hardtanh heaviside masked_fill maximum minimum negative relu relu6 round sign
    stop_gradient trunc where arange constant eye size broadcast concat depth_to_space flatten flip gather one_hot pad repeat reshape roll
    slice sort space_to_depth split squeeze stack take_along_axis tile top_k transpose tril triu unsqueeze unfold max min max_pool
    max_pool_indices max_pool_take max_unpool unpool_kept bernoulli normal uniform random_flip random_shift random_shift_back"""
)
# Sums of products of operands, and quotients rounded to whole numbers.
POLYNOMIAL = names(
    """add subtract multiply rem remainder floor_divide square cast softshrink prelu matmul einsum circular_conv conv conv_grad_w conv_grad_x
    conv_transpose fold sum cumsum scatter scatter_add pad_grad max_pool_grad sum_pool sum_pool_grad channel_affine channel_dot channel_window_sum"""
)
# Rounded once, correctly: the operands need not be moved. Those of `max_pool_grad` must not be: it looks for equal numbers in two of them.
BASIC = names("add subtract multiply divide square sqrt reciprocal cast max_pool_grad")
TERMWISE = names("elementwise movement constant random")  # kinds
SUMMING = names("scatter scatter_add pad_grad")  # movements that add


class Reference:
    """One run of the plain interpreter: `wanted` (results by name), and what rounding could do to them."""

    def __init__(self, graph: Graph, arrays: Arrays) -> None:
        self.graph, self.arrays = graph, arrays
        self.values: dict[int, Any] = {item.id: arrays[item.name] for item in graph.inputs}
        self.wanted = interpret(graph, np, arrays, lambda node, results: self.values.update(zip(node.outputs, results, strict=True)))
        self.ids = {item.name: item.id for item in graph.outputs} | {f"update:{item.name}": item.id for item in graph.updates}
        self.runs = 0
        self._spread = dict.fromkeys(self.wanted, 0.0)

    @cached_property
    def exact(self) -> frozenset[int]:
        """The values that no way to compute them rounds."""
        found = {item.id for item in self.graph.inputs}
        for node in self.graph.nodes:
            if found.issuperset(node.inputs) and exactly(node, self.operands(node), self.results(node)):
                found.update(node.outputs)
        return frozenset(found)

    def is_exact(self, name: str) -> bool:
        return self.ids[name] in self.exact

    def operands(self, node: Node) -> list[Any]:
        return [self.values[id] for id in node.inputs]

    def results(self, node: Node) -> list[Any]:
        return [self.values[id] for id in node.outputs]

    def spread(self, runs: int) -> Mapping[str, float]:
        """The largest deviation of each result in this many runs; infinite where another element is finite, or where a run has none."""
        with quiet(np):
            while self.runs < runs:
                values = self.rounded_run(np.random.default_rng((7, self.runs)))
                self.runs += 1
                for name, id in self.ids.items():
                    if id not in self.exact:
                        moved = distance(values[id], self.wanted[name]) if id in values else inf
                        self._spread[name] = max(self._spread[name], moved)
        return self._spread

    def rounded_run(self, numbers: np.random.Generator) -> dict[int, Any]:
        """All values where every step rounds at random; none where an index that is rounded from a float leaves its range, nor behind."""
        sizes = bind_dims(self.graph, self.arrays)
        values = {item.id: self.values[item.id] for item in self.graph.inputs}
        for node in self.graph.nodes:
            if node.outputs[0] in self.exact:
                values.update(zip(node.outputs, self.results(node), strict=True))
                continue
            if not values.keys() >= set(node.inputs):
                continue
            given = [values[id] for id in node.inputs]
            if node.op not in MOVING | BASIC:
                given = [moved(value, UNITS * sqrt(length(node, given)), numbers) for value in given]
            try:
                results = run_node(np, node, given, sizes)
            except DataError:
                continue
            if node.op not in MOVING:
                results = tuple(self.rounded(node, value, numbers) for value in results)
            values.update(zip(node.outputs, results, strict=True))
        return values

    def rounded(self, node: Node, value: Any, numbers: np.random.Generator) -> Any:
        """A result of a node as another program may round it."""
        return moved(value, UNITS, numbers)


def moved(value: Any, units: float, numbers: np.random.Generator) -> Any:
    """Every element moved at random by at most so many roundings."""
    if value.dtype not in UNIT:
        return value
    start = int(numbers.integers(0, NOISE.size // 2))
    noise = np.resize(NOISE[start : start + value.size], value.shape) if value.size > NOISE.size // 2 else NOISE[start : start + value.size]
    return (value + value * (noise.reshape(value.shape) * (units * UNIT[value.dtype]))).astype(value.dtype, copy=False)


def length(node: Node, operands: Sequence[Any]) -> int:
    """No sum of this node has more terms."""
    if lookup(node.op).kind in TERMWISE and node.op not in SUMMING:
        return 1
    return max((operand.size for operand in operands), default=1)


def distance(found: Any, wanted: Any) -> float:
    """The largest difference of two arrays; infinite where other elements are finite, or where values that are no floats differ."""
    found, wanted = np.asarray(found), np.asarray(wanted)
    if found.dtype.kind != "f":
        return 0.0 if np.array_equal(found, wanted) else inf
    alike = (found == wanted) | (np.isnan(found) & np.isnan(wanted))
    with np.errstate(invalid="ignore"):
        difference = np.where(alike, 0.0, np.abs(found - wanted))
    return inf if np.isnan(difference).any() else float(difference.max(initial=0.0))


# ---- exactness ------------------------------------------------------------------------------------------------------------------------


def exactly(node: Node, operands: Sequence[Any], results: Sequence[Any]) -> bool:
    """Whether a node whose operands are exact gives the same bits however it is computed."""
    if node.op in MOVING or all(result.dtype.kind != "f" for result in results):
        return True
    if node.op == "divide":
        return powers_of_two(operands[1]) and whole_sums(operands[:1], results)
    if node.op in ("mean", "avg_pool", "avg_pool_grad"):
        return powers_of_two(np.array(divisors(node, operands, results), float)) and whole_sums(operands, results)
    terms = prod(operand.size for operand in operands) if node.op == "einsum" else 0
    return node.op in POLYNOMIAL and whole_sums(operands, results, terms)


def divisors(node: Node, operands: Sequence[Any], results: Sequence[Any]) -> Sequence[int]:
    """What sums are divided by. A window of one or two places holds one or two, also where it overlaps the edge."""
    if node.op == "mean":
        return [operands[0].size // max(results[0].size, 1)]
    kernel: Any = node.attrs["kernel"]
    return [kernel] if isinstance(kernel, int) else [size if size <= 2 else 3 for size in kernel]


def powers_of_two(array: Any) -> bool:
    mantissa, _ = np.frexp(np.abs(array))
    return bool((mantissa == 0.5).all())


def whole_sums(operands: Sequence[Any], results: Sequence[Any], terms: int = 0) -> bool:
    """Whether every sum of products of elements of the operands, one of each, is a whole number below 2^53 (with its binary places).

    terms: how many products there are at most, where that is more than twice the elements of the largest operand.
    """
    places, largest = 0, 1.0
    for operand in operands:
        if operand.dtype.kind == "f":
            own = binary_places(operand)
            if own is None:
                return False
            places += own
            largest *= max(1.0, float(np.abs(operand).max(initial=0.0)))
        terms = max(terms, 2 * operand.size)
    digits = min(DIGITS[result.dtype] for result in results if result.dtype.kind == "f")
    return largest * terms * 2.0**places < 2.0**digits and all(binary_places(result) is not None for result in results)


def binary_places(array: Any) -> int | None:
    """The number of binary places that hold every element; None where that is more than `FINEST`."""
    if array.dtype.kind != "f":
        return 0
    if not np.isfinite(array).all() or not whole(array * 2.0**FINEST):
        return None
    return next(places for places in (0, 1, 2, 3, 4, 6, 8, 12, 16, 20, FINEST) if whole(array * 2.0**places))


def whole(array: Any) -> bool:
    return bool((array == np.rint(array)).all())
