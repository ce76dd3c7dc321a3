"""Loops of any nest: transposed copies in strips, lanes that are not full, parts of an axis."""

from __future__ import annotations

import numpy as np
import pytest

from dslc.ir.types import Dim
from runtime.kernels.native.emit import Emitter
from runtime.kernels.native.layout import plain
from runtime.loops.nest import Array, Load, Loops, Writer, at
from tests.loops.code import run

N = Dim.of("batch")


@pytest.mark.parametrize("shape", [(1, 1), (3, 17), (16, 16), (33, 50), (64, 5)])
@pytest.mark.parametrize("dtype", ["float32", "float64", "uint8", "bool"])
@pytest.mark.parametrize("band", [None, "i", "j"])
def test_a_transposed_copy(shape: tuple[int, int], dtype: str, band: str | None) -> None:
    writer = Writer({"i": N, "j": shape[1]})
    writer.store("y", at("j", "i"), writer.add(Load("x", at("i", "j"), dtype)))
    nest = writer.nest("copy")
    arrays = {"x": Array((N, shape[1]), dtype), "y": Array((shape[1], N), dtype)}
    x = np.random.default_rng(1).integers(0, 2 if dtype == "bool" else 200, shape).astype(dtype)
    found = run(
        Loops(arrays, (nest,)),
        {"x": x, "y": np.zeros(shape[::-1], dtype)},
        {"batch": shape[0]},
        bands={0: band} if band else {},
        parts=3,
    )
    np.testing.assert_array_equal(found["y"], x.T)


def test_what_is_read_across_goes_in_strips() -> None:
    writer = Writer({"i": 64, "j": 64})
    writer.store("y", at("j", "i"), writer.add(Load("x", at("i", "j"), "float32")))
    arrays = {"x": Array((64, 64), "float32"), "y": Array((64, 64), "float32")}
    made = Emitter(writer.nest("copy"), arrays, plain(arrays), 64, None)
    assert (made.vector, made.strip) == ("i", "j")
