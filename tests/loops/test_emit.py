"""Loops of any nest: transposed copies in strips, lanes that are not full, parts of an axis."""

from __future__ import annotations

import numpy as np
import pytest

from dslc.ir.types import Dim
from runtime.kernels.native.emit import Emitter
from runtime.kernels.native.layout import plain
from runtime.loops.interpret import interpret_loops
from runtime.loops.nest import Apply, Array, Load, Loops, Reduce, Writer, at
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


@pytest.mark.parametrize("beside", [False, True])
@pytest.mark.parametrize("over", [("k",), ("j", "k")])
@pytest.mark.parametrize("length", [1, 2])
def test_a_reduction_over_an_axis_that_it_does_not_read(over: tuple[str, ...], length: int, beside: bool) -> None:
    """Whether or not what is reduced is stored as well."""
    writer = Writer({"i": N, "j": 5, "k": length})
    value = writer.add(Apply("exp", (writer.add(Load("x", at("i", "j"), "float32")),), "float32"))
    if beside:
        writer.store("z", at("i", "j"), value)
    kept = tuple(axis for axis in "ij" if axis not in over)
    writer.store("y", at(*kept), writer.add(Reduce("sum", value, over, "float32")))
    arrays = {"x": Array((N, 5), "float32"), "z": Array((N, 5), "float32"), "y": Array((N, 5)[: len(kept)], "float32")}
    data = {"x": np.random.default_rng(1).standard_normal((3, 5)).astype(np.float32), "z": np.zeros((3, 5), np.float32)}
    data["y"] = np.zeros((3, 5)[: len(kept)], np.float32)
    loops = Loops(arrays, (writer.nest("reduced"),))
    wanted = {name: array.copy() for name, array in data.items()}
    interpret_loops(loops, wanted, {"batch": 3})
    found = run(loops, data, {"batch": 3}, bands={0: "i"}, parts=2)
    for name in "yz":
        np.testing.assert_allclose(found[name], wanted[name], rtol=1e-6)
