"""The values of a graph, and whether two ways to compute them agree within what rounding explains.

*Rounding* is measured, not guessed: the graph is computed again with every result of every node changed by up to NOISE roundings, some
times. What moves by that is what another order of operations may move. Where a result moves by more than LIMIT of its size (at a kink,
where a comparison falls the other way) no two ways to compute it need agree: it is left out, and a case of which nothing is left is
mistrusted, not passed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from dslc.interpret import bind_dims, check_values, quiet, run_node
from dslc.ir.graph import Graph

NOISE = 64  # roundings; the rounding of a sum of K terms is about sqrt(K) of them, and K stays below 64^2 in these graphs
FACTOR = 4.0  # the largest of DRAWS draws is below the bound of all by less than that
DRAWS = 3
LIMIT = {"float64": 1e-6, "float32": 1e-2}
Arrays = Mapping[str, np.ndarray]
Values = dict[str, np.ndarray]


class Mistrusted(Exception):
    """Nothing has been compared that could differ."""


def values(graph: Graph, arrays: Arrays, noise: np.random.Generator | None = None) -> Values:
    """Results by name, as the interpreter gives them, with every value laid out in order, so that how it came about plays no part."""
    sizes = bind_dims(graph, arrays)
    check_values(graph, sizes)
    known: dict[int, Any] = {item.id: arrays[item.name] for item in graph.inputs}
    with quiet(np):
        for node in graph.nodes:
            results = run_node(np, node, [known[id] for id in node.inputs], sizes)
            for id, result in zip(node.outputs, results, strict=True):
                known[id] = shaken(np.ascontiguousarray(result).reshape(result.shape), noise)
    found = {output.name: known[output.id] for output in graph.outputs}
    return found | {f"update:{update.name}": known[update.id] for update in graph.updates}


def shaken(array: np.ndarray, noise: np.random.Generator | None) -> np.ndarray:
    if noise is None or array.dtype.kind != "f":
        return array
    step = NOISE * np.finfo(array.dtype).eps
    return np.asarray(array * (1 + step * noise.uniform(-1, 1, array.shape)), array.dtype)


def equal(found: Arrays, wanted: Arrays) -> None:
    """Every result is the same number (a zero has no sign here)."""
    for name, value in found.items():
        other = np.asarray(wanted[name])
        assert np.shape(value) == other.shape, f"{name}: {np.shape(value)} instead of {other.shape}"
        if not np.array_equal(value, other, equal_nan=other.dtype.kind == "f"):
            raise AssertionError(f"{name} is\n{value}\ninstead of\n{other}")


def identical(found: Arrays, wanted: Arrays) -> None:
    """Every result has the same bytes (of NaN there is one here)."""
    assert found.keys() == wanted.keys(), f"{sorted(found)} instead of {sorted(wanted)}"
    differing = [name for name, value in found.items() if bits(value) != bits(wanted[name])]
    assert not differing, f"other bytes: {', '.join(differing)}"


def bits(value: np.ndarray) -> bytes:
    array = np.array(value)
    if array.dtype.kind == "f":
        array[np.isnan(array)] = np.nan
    return array.tobytes()


def agree(graph: Graph, arrays: Arrays, found: Arrays, wanted: Arrays) -> None:
    """`found` are results of `graph`, computed in another way; `wanted` are its own.

    Raises AssertionError where they differ by more than rounding. Results that rounding alone moves far are left out; Mistrusted where
    nothing telling is left.
    """
    errors = {name: apart(np.asarray(value), np.asarray(wanted[name]), name) for name, value in found.items()}
    within(found, wanted, bounds(graph, arrays, wanted, found, DRAWS if any(errors.values()) else 1))


def within(found: Arrays, wanted: Arrays, allowed: Mapping[str, float]) -> None:
    """The same by bounds that are given."""
    for name, bound in allowed.items():
        error = apart(np.asarray(found[name]), np.asarray(wanted[name]), name)
        if error > bound:
            explained = f"off by {error:.3g}, rounding explains {bound:.3g}"
            raise AssertionError(f"{name} is {explained}:\n{found[name]}\ninstead of\n{wanted[name]}")
    telling({name: wanted[name] for name, bound in allowed.items() if bound < np.inf})


def bounds(graph: Graph, arrays: Arrays, wanted: Arrays, names: Iterable[str], draws: int = DRAWS) -> dict[str, float]:
    """What rounding explains of each of these results; infinite where it moves them far."""
    found = {}
    for name, move in movements(graph, arrays, wanted, names, draws).items():
        value = np.asarray(wanted[name])
        least = NOISE * float(np.finfo(value.dtype).eps) * largest(value) if value.dtype.kind == "f" else 0.0
        found[name] = np.inf if is_shaky(move, value) else FACTOR * move + least
    return found


def movements(graph: Graph, arrays: Arrays, wanted: Arrays, names: Iterable[str], draws: int) -> dict[str, float]:
    """How far each of these results moves at most in some noisy computations."""
    found = dict.fromkeys(names, 0.0)
    for seed in range(draws):
        moved = values(graph, arrays, np.random.default_rng(seed))
        found = {name: max(move, apart(moved[name], np.asarray(wanted[name]), name)) for name, move in found.items()}
    return found


def is_shaky(move: float, value: np.ndarray) -> bool:
    return move > (LIMIT[str(value.dtype)] * max(largest(value), 1.0) if value.dtype.kind == "f" else 0)


def apart(a: np.ndarray, b: np.ndarray, name: str) -> float:
    """The largest difference; infinite where one is finite and the other is not, or is another infinity."""
    assert a.shape == b.shape and a.dtype == b.dtype, f"{name}: {a.dtype}{a.shape} instead of {b.dtype}{b.shape}"
    if a.dtype.kind != "f":
        return float((a != b).sum())
    with np.errstate(all="ignore"):
        same = (a == b) | (np.isnan(a) & np.isnan(b))
        return float(np.where(same, 0, np.nan_to_num(np.abs(a - b), nan=np.inf, posinf=np.inf)).max(initial=0))


def largest(array: np.ndarray) -> float:
    return float(np.abs(array).max(initial=0, where=np.isfinite(array))) if array.dtype.kind == "f" else 0.0


def telling(results: Arrays) -> None:
    """Mistrusted where no result is left, or every number is zero or not finite: then nothing has been compared."""
    if not any(np.any(np.isfinite(value) & (value != 0)) for value in map(np.asarray, results.values()) if value.dtype.kind in "fiu"):
        raise Mistrusted("nothing to compare: zeros, infinities, and results at a kink")
