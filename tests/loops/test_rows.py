"""Every row of the operator table as loop nests: the definition of the nests, and their machine code, against the row's `eval`."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dslc.ir.graph import Graph
from dslc.ir.types import DType
from dslc.ops.infer import evaluate
from dslc.ops.table import rows
from dslc.ops.value import Builder
from runtime.loops.interpret import interpret_loops
from runtime.loops.lower import lower
from runtime.loops.nest import Loops
from runtime.loops.trim import NoNest
from tests.loops.code import run
from tests.ops.test_table import inputs_of, samples

ROWS = [row.name for row in rows() if row.eval is not None]
WITHOUT = frozenset((Path(__file__).parent / "without_nests.txt").read_text().split())
"""Rows of which a sample has no nest yet: NumPy runs them."""


def one_node(name: str, arrays: list[np.ndarray], attrs: dict[str, Any]) -> Graph:
    b = Builder("One")
    for i, result in enumerate(b.many(name, [*inputs_of(b, name, arrays).values()], **attrs)):
        b.output(f"y{i}", result)
    return b.build()


@cache
def subjects(name: str) -> tuple[list[tuple[Graph, Loops, list[np.ndarray], tuple[Any, ...]]], int]:
    """The samples that have nests, with what `eval` says, and how many have none."""
    found, without = [], 0
    for arrays, attrs in samples(name, DType.f32):
        graph = one_node(name, arrays, attrs)
        try:
            loops = lower(graph)
        except NoNest:
            without += 1
            continue
        with np.errstate(all="ignore"):
            found.append((graph, loops, arrays, evaluate(name, np, arrays, attrs)))
    return found, without


def filled(graph: Graph, loops: Loops, arrays: list[np.ndarray]) -> dict[str, np.ndarray]:
    """Inputs as given, and results that hold something else."""
    given = {f"%{item.id}": np.array(array, order="C") for item, array in zip(graph.inputs, arrays, strict=True)}
    return {name: np.full(array.shape, 7, array.dtype) for name, array in loops.arrays.items()} | given


def compare(graph: Graph, found: dict[str, np.ndarray], wanted: tuple[Any, ...]) -> None:
    for output, value in zip(graph.outputs, wanted, strict=True):
        got = found[f"%{output.id}"]
        assert got.shape == np.shape(value)
        np.testing.assert_allclose(got.astype(np.float64), np.asarray(value, np.float64), rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("name", [name for name in ROWS if name != "constant"])
def test_the_definition_is_the_row(name: str) -> None:
    found, without = subjects(name)
    assert (without > 0) == (name in WITHOUT)
    for graph, loops, arrays, wanted in found:
        data = filled(graph, loops, arrays)
        interpret_loops(loops, data, {})
        compare(graph, data, wanted)


@pytest.mark.parametrize("banded", [False, True])
@pytest.mark.parametrize("name", [name for name in ROWS if name != "constant"])
def test_machine_code_is_the_row(name: str, banded: bool) -> None:
    """Whole, and in three parts of an axis that may be cut."""
    for graph, loops, arrays, wanted in subjects(name)[0]:
        bands = {i: nest.parallel[0] for i, nest in enumerate(loops.nests) if banded and nest.parallel}
        if banded and not bands:
            continue
        compare(graph, run(loops, filled(graph, loops, arrays), {}, bands=bands, parts=3), wanted)
