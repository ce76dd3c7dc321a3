"""Copies and sums into another order of axes: every element arrives, whatever the lengths, the order, the band and the parts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from dslc.ir.types import Dim
from runtime.kernels.native.layout import in_order, plain
from runtime.kernels.native.machine import host
from runtime.kernels.native.transpose import find_turn
from runtime.loops.nest import Apply, Array, Load, Loops, Writer, at
from tests.loops.code import run

BATCH = Dim.of("batch")


def copied(shape: Sequence[int | Dim], order: Sequence[int], sources: int, band: int | None, parts: int) -> None:
    """The sum of arrays, stored with its axes in this order."""
    writer = Writer()
    axes = [writer.axis(size, "i") for size in shape]
    names = [f"x{number}" for number in range(sources)]
    total = writer.add(Load(names[0], at(*axes), "float32"))
    for name in names[1:]:
        total = writer.add(Apply("add", (total, writer.add(Load(name, at(*axes), "float32"))), "float32"))
    writer.store("y", at(*axes), total)
    nest = writer.nest("copy")
    arrays = {name: Array(tuple(shape), "float32") for name in (*names, "y")}
    layouts = plain(arrays) | {"y": in_order(shape, order)}
    assert find_turn(nest, arrays, layouts, host()) is not None
    sizes = [size if isinstance(size, int) else 21 for size in shape]
    rng = np.random.default_rng(2)
    data = {name: rng.integers(-9, 9, sizes).astype(np.float32) for name in names}
    stored = {**data, "y": np.zeros([sizes[axis] for axis in order], np.float32)}
    bands = {} if band is None else {0: axes[band]}
    found = run(Loops(arrays, (nest,)), stored, {"batch": 21}, layouts=layouts, bands=bands, parts=parts)["y"]
    np.testing.assert_array_equal(found, sum(data.values()).transpose(order))  # type: ignore[union-attr]


@pytest.mark.parametrize("shape", [(16, 16), (35, 50), (2, 40), (40, 3), (17, 1 << 7)])
@pytest.mark.parametrize("sources", [1, 3])
@pytest.mark.parametrize("band", [None, 0, 1])
def test_a_matrix(shape: tuple[int, int], sources: int, band: int | None) -> None:
    copied(shape, (1, 0), sources, band, 2)


@pytest.mark.parametrize("shape", [(20, 3, 3, 3), (5, 17, 1, 2), (33, 4, 5, 5), (18, 2, 2, 2)])
@pytest.mark.parametrize("band", [None, 0, 1, 3])
def test_a_kernel(shape: tuple[int, ...], band: int | None) -> None:
    """Filters come to the end: several short axes are one side of a square."""
    copied(shape, (2, 3, 1, 0), 1, band, 2)


@pytest.mark.parametrize("shape", [(BATCH, 19), (19, BATCH), (3, BATCH, 20)])
@pytest.mark.parametrize("band", [None, 0, 1])
def test_an_open_length(shape: tuple[int | Dim, ...], band: int | None) -> None:
    copied(shape, (*range(len(shape) - 2), len(shape) - 1, len(shape) - 2), 1, band, 3)
