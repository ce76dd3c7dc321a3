"""Several stores in one nest: what is stored and its sums are made in one pass, and mean what the nests meant that were joined."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from dslc.ir.types import Dim
from runtime.kernels.native.emit import Emitter
from runtime.kernels.native.layout import Layout, in_order, plain
from runtime.kernels.native.machine import host
from runtime.kernels.native.roles import find_roles
from runtime.kernels.native.schedule import Job
from runtime.kernels.native.together import STAYS, join_sums
from runtime.loops.interpret import interpret_loops
from runtime.loops.nest import Apply, Array, Load, Loops, Nest, Number, Reduce, Writer, at
from runtime.loops.siblings import together
from tests.loops.code import run

N = Dim.of("batch")
LAST = (0, 2, 3, 1)


def producer(channels: int, height: int, width: int, depth: int) -> Nest:
    """y = max(x · w, 0) over the channels of x (depth 0: of x alone)."""
    writer = Writer({"n": N, "c": channels, "h": height, "w": width} | ({"k": depth} if depth else {}))
    value = writer.add(Load("x", at("n", "k" if depth else "c", "h", "w"), "float32"))
    if depth:
        weight = writer.add(Load("weight", at("k", "c"), "float32"))
        value = writer.add(Reduce("sum", writer.add(Apply("multiply", (value, weight), "float32")), ("k",), "float32"))
    value = writer.add(Apply("maximum", (value, writer.add(Number(0.0, "float32"))), "float32"))
    writer.store("y", at("n", "c", "h", "w"), value)
    return writer.nest("y")


def sums(sizes: Sequence[Any], result: str, other: str | None, kept: Sequence[int]) -> Nest:
    """The sum of y, or of y · other, over all axes that are not kept."""
    writer = Writer(dict(zip("abde", sizes, strict=True)))
    value = writer.add(Load("y", at(*"abde"), "float32"))
    if other:
        value = writer.add(Apply("multiply", (value, writer.add(Load(other, at(*"abde"), "float32"))), "float32"))
    total = writer.add(Reduce("sum", value, tuple(axis for i, axis in enumerate("abde") if i not in kept), "float32"))
    writer.store(result, at(*("abde"[i] for i in kept)), total)
    return writer.nest(result)


@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 2, 5), (33, 1, 2)])
@pytest.mark.parametrize("depth", [0, 4])
@pytest.mark.parametrize("kept", [(1,), (), (3,)])
@pytest.mark.parametrize("order", [None, LAST])
def test_a_store_and_its_sums_in_one_nest(shape: tuple[int, int, int], depth: int, kept: tuple[int, ...], order: Any) -> None:
    """Whole numbers are exact: interpreted and as machine code, in parts that add."""
    channels, height, width = shape
    sizes = (N, *shape)
    first = producer(channels, height, width, depth)
    plain_sum = together(first, sums(sizes, "s", None, kept), "y")
    assert plain_sum is not None
    both = together(plain_sum, sums(sizes, "t", "other", kept), "y")
    assert both is not None and len(both.stores) == 3 and "y" not in both.reads
    small = tuple(sizes[axis] for axis in kept)
    arrays = {
        "x": Array((N, depth or channels, height, width), "float32"),
        "y": Array(sizes, "float32"),
        "other": Array(sizes, "float32"),
        "s": Array(small, "float32"),
        "t": Array(small, "float32"),
    } | ({"weight": Array((depth, channels), "float32")} if depth else {})
    rng = np.random.default_rng(2)
    real = {name: [size if isinstance(size, int) else 3 for size in array.shape] for name, array in arrays.items()}
    data = {name: rng.integers(-4, 5, size).astype(np.float32) for name, size in real.items()}
    data |= {name: np.zeros(real[name], np.float32) for name in "yst"}
    wanted = {name: array.copy() for name, array in data.items()}
    nests = (first, sums(sizes, "s", None, kept), sums(sizes, "t", "other", kept))
    interpret_loops(Loops(arrays, nests), wanted, {"batch": 3})
    joined = {name: array.copy() for name, array in data.items()}
    interpret_loops(Loops(arrays, (both,)), joined, {"batch": 3})
    layouts: dict[str, Layout] = plain(arrays)
    if order:
        layouts |= {name: in_order(arrays[name].shape, order) for name in ("x", "y", "other")}
    stored = {
        name: np.ascontiguousarray(array.transpose(order if order and array.ndim == 4 else range(array.ndim)))
        for name, array in data.items()
    }
    found = run(Loops(arrays, (both,)), stored, {"batch": 3}, layouts=layouts, bands={0: "n"}, parts=2, sums=("s", "t"))
    for name in "yst":
        np.testing.assert_array_equal(joined[name], wanted[name], err_msg=name)
        back = found[name].transpose(np.argsort(order)) if order and found[name].ndim == 4 else found[name]
        np.testing.assert_array_equal(back, wanted[name], err_msg=name)


def test_a_tile_is_a_tile_with_sums_beside_it() -> None:
    both = together(producer(16, 4, 16, 8), sums((N, 16, 4, 16), "s", None, (1,)), "y")
    assert both is not None
    arrays = {"x": Array((N, 8, 4, 16), "float32"), "y": Array((N, 16, 4, 16), "float32")}
    arrays |= {"weight": Array((8, 16), "float32"), "s": Array((16,), "float32")}
    layouts = plain(arrays) | {name: in_order(arrays[name].shape, LAST) for name in ("x", "y")}
    assert find_roles(both, arrays, layouts, host()) is not None


def test_what_is_stored_and_summed_is_computed_once() -> None:
    both = together(producer(16, 4, 4, 0), sums((N, 16, 4, 4), "s", None, (1,)), "y")
    assert both is not None
    arrays = {"x": Array((N, 16, 4, 4), "float32"), "y": Array((N, 16, 4, 4), "float32"), "s": Array((16,), "float32")}
    layouts = plain(arrays) | {name: in_order(arrays[name].shape, LAST) for name in ("x", "y")}
    made = Emitter(both, arrays, layouts, 32, "n", ("s",)).kernel("k")
    alone = Emitter(producer(16, 4, 4, 0), arrays, layouts, 32, "n").kernel("k")
    assert made.text.count(" load <8 x float>") == alone.text.count(" load <8 x float>") + 1  # the sum so far


def jobs(shape: tuple[int, int, int], depth: int) -> tuple[list[Job], dict[str, Array]]:
    sizes = (N, *shape)
    arrays = {name: Array(sizes, "float32") for name in ("y", "other")} | {name: Array((shape[0],), "float32") for name in "st"}
    arrays |= {"x": Array((N, depth or shape[0], *shape[1:]), "float32"), "weight": Array((depth, shape[0]), "float32")}
    made = [Job(producer(*shape, depth), "n"), Job(sums(sizes, "s", None, (1,)), "a", ("s",))]
    return [*made, Job(sums(sizes, "t", "other", (1,)), "a", ("t",))], arrays


def test_sums_join_the_writer_or_each_other() -> None:
    """A tile takes them where a sample is large."""
    many, arrays = jobs((16, 8, 8), 0)
    assert [job.sums for job in join_sums(many, arrays, {"batch": 4})] == [("s", "t")]
    many, arrays = jobs((16, 8, 8), 4)
    assert [job.sums for job in join_sums(many, arrays, {"batch": 4})] == [(), ("s", "t")]
    side = int((STAYS / 4 / 16) ** 0.5) + 1
    many, arrays = jobs((16, side, side), 4)
    assert [job.sums for job in join_sums(many, arrays, {"batch": 4})] == [("s", "t")]


def test_a_sum_of_other_places_stays_apart() -> None:
    """What is written later than the first is not read by it; another order of axes is no sibling."""
    many, arrays = jobs((16, 8, 8), 0)
    late = Writer({"n": N, "c": 16, "h": 8, "w": 8})
    late.store("other", at(*"nchw"), late.add(Load("y", at("n", "c", "w", "h"), "float32")))
    found = join_sums([many[0], Job(late.nest("other"), "n"), many[1], many[2]], arrays, {"batch": 4})
    assert [job.sums for job in found] == [("s",), ("t",)]
    assert together(many[0].nest, late.nest("other"), "y") is not None  # type: ignore[arg-type]
    assert together(late.nest("other"), many[0].nest, "x") is None  # type: ignore[arg-type]
