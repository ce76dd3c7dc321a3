"""How far float16 may move the results of a network: every value that is rounded is shaken by as much as its rounding can, at random.

The model in float16 is the network with an error in each value that is rounded: at most 2⁻¹¹ of it, or 2⁻²⁵ where it is tiny. The
interpreter runs the graph again with errors of half to all of that size and random signs (Monte Carlo arithmetic, Parker 1997), `DRAWS`
times. Real rounding errors are no larger than the whole, so `MARGIN` times the largest change that is seen, and the last rounding at its
full size, bound what float16 does, as far as errors are small and do not conspire. Nothing in it is fitted to what a backend computes.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from dslc.diagnostics import DataError
from dslc.interpret import bind_dims, last_uses, quiet, run_node
from dslc.ir.graph import Graph
from exporters.onnx.errors import BeyondHalf, TooCoarse
from exporters.onnx.half import LARGEST, UNIT, Bound, Half

DRAWS, MARGIN = 8, 3.0
COARSE = 1 / 8
TINY = 2.0**-25  # half the distance of float16 numbers below 2⁻¹⁴
BLOCK = 65537  # random numbers that are used again, from another start for each value

Arrays = Mapping[str, np.ndarray]


def bounds(graph: Graph, half: Half, arrays: Arrays, wanted: Collection[int]) -> dict[int, Bound]:
    """For each of these values, how far it may be from the one in float32. DataError where a value leaves the range of float16."""
    exact = shaken(graph, half, arrays, wanted, -1)
    moved = dict.fromkeys(wanted, 0.0)
    for draw in range(DRAWS):
        for id, array in shaken(graph, half, arrays, wanted, draw).items():
            with quiet(np):  # what is infinite stays so
                moved[id] = max(moved[id], largest(array - exact[id]))
    sizes = {id: largest(array) for id, array in exact.items()}
    return {id: Bound(sizes[id], MARGIN * moved[id] + half.rounds[id] * UNIT * sizes[id]) for id in moved}


def largest(array: Any) -> float:
    return float(np.abs(np.asarray(array)).max(initial=0, where=np.isfinite(array)))


def flips(graph: Graph, half: Half, arrays: Arrays, id: int) -> int:
    """How many numbers of a value that is no float change in the draw that changes most."""
    exact = shaken(graph, half, arrays, [id], -1)[id]
    return max(int((shaken(graph, half, arrays, [id], draw)[id] != exact).sum()) for draw in range(DRAWS))


def held_size(half: Half, id: int, name: str, array: Any) -> float:
    """The largest size of a value that the model holds in float16, 0 of others; DataError where it leaves the range."""
    size = largest(array) if id in half.held else 0.0
    if size > LARGEST:
        raise DataError(BeyondHalf(name=name, value=size))
    return size


def judged(graph: Graph) -> set[int]:
    """What is compared within a bound: outputs that are floats, and what is read where an output is the place of a largest, or a test."""
    ids = {output.id for output in graph.outputs}
    scores = {id for node in graph.nodes if ids.intersection(node.outputs) for id in node.inputs}
    return {id for id in ids | scores if graph.types[id].dtype.is_float}


def refuse_coarse(graph: Graph, half: Half) -> None:
    """DataError for the first output that float16 moves by more than an eighth of its largest value, at all sizes together."""
    for output in graph.outputs:
        found = [at[output.id] for at in half.limits.values() if output.id in at]
        moved, most = max((b.limit for b in found), default=0.0) / MARGIN, max((b.largest for b in found), default=0.0)
        if moved > most * COARSE:
            raise DataError(TooCoarse(output=output.name, moved=moved, largest=most))


def shaken(graph: Graph, half: Half, arrays: Arrays, wanted: Collection[int], draw: int) -> dict[int, Any]:
    """The wanted values with every rounding an error of its size; draw -1: without errors."""
    block = random_errors(draw) if draw >= 0 else None
    values: dict[int, Any] = {}
    for item in graph.inputs:
        if block is None:
            held_size(half, item.id, item.name, arrays[item.name])
        times = 1 if item.name in half.parameters else half.rounds[item.id]
        values[item.id] = moved(arrays[item.name], times, block, item.id)
    sizes, kept = bind_dims(graph, arrays), {id: values[id] for id in wanted if id in values}
    dying = last_uses(graph)
    with quiet(np):
        for at, node in enumerate(graph.nodes):
            results = run_node(np, node, [values[id] for id in node.inputs], sizes)
            for id, result in zip(node.outputs, results, strict=True):
                if block is None:
                    held_size(half, id, node.address, result)
                values[id] = moved(result, half.rounds[id], block, id)
                if id in wanted:
                    kept[id] = values[id]
            for id in dying[at]:
                del values[id]
    return kept


def moved(array: Any, times: int, block: np.ndarray | None, start: int) -> Any:
    """The array with an error of the size of `times` roundings in each element."""
    if block is None or not times or array.dtype.kind != "f":
        return array
    places = (np.arange(array.size) + start * 7919) % BLOCK
    errors = block[places].reshape(array.shape).astype(array.dtype) * times
    return array * (1 + errors * UNIT) + errors * TINY


def random_errors(draw: int) -> np.ndarray:
    """Numbers in (-1, -1/2] and [1/2, 1) from the counter-based generator."""
    from dslc.ops.philox import stream_of, uniform

    key = np.array([0, draw, 0], np.int64)
    numbers = uniform(np, key, stream_of("rounding"), (BLOCK,), np.dtype("float64")) - 0.5
    return np.asarray(numbers + np.where(numbers < 0, -0.5, 0.5))
