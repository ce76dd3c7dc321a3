"""Small parts of the generator by themselves: sums that are split off, the vectors of a processor, places, the profile."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dslc.ir.types import Dim
from runtime.kernels.native.choose import choose
from runtime.kernels.native.machine import host, target
from runtime.kernels.native.profile import profile
from runtime.kernels.native.schedule import Job, place_of
from runtime.loops.nest import Affine, Apply, Array, Load, Nest, Number, Reduce, Size, Taken, Writer, at
from runtime.loops.split import split_sums
from runtime.native import NativeExecutor
from tests.loops.test_programs import executor, run, step_graph, values


def reduction(function: str, stored: tuple[str, ...]) -> Nest:
    """Twice what is combined over n."""
    writer = Writer({"n": 4, "c": 3})
    total = writer.add(Reduce(function, writer.add(Load("x", at("n", "c"), "float32")), ("n",), "float32"))
    writer.store("y", at(*stored), writer.add(Apply("multiply", (total, writer.add(Number(2.0, "float32"))), "float32")))
    return writer.nest("reduction")


@pytest.mark.parametrize(
    ("function", "stored", "over"), [("sum", ("c",), True), ("max", ("c",), False), ("sum", ("n", "c"), False), ("min", ("n", "c"), False)]
)
def test_only_plain_sums_are_split_off(function: str, stored: tuple[str, ...], over: bool) -> None:
    arrays: list[Array] = []
    parts = split_sums(reduction(function, stored), "n", lambda array: arrays.append(array) or "t")  # type: ignore[func-returns-value]
    assert (parts is not None) == over
    if parts is not None:
        assert [nest.reads for nest in parts] == [("x",), ("t",)] and [nest.writes for nest in parts] == [("t",), ("y",)]
        assert arrays == [Array((3,), "float32")]


PROCESSORS: tuple[tuple[dict[str, bool], int, int], ...] = (
    (dict.fromkeys(("avx512f", "avx512bw", "avx512vl", "avx512dq", "avx2", "fma"), True), 64, 32),
    (dict.fromkeys(("avx512f", "avx2", "fma"), True), 32, 16),
    ({"avx2": True, "fma": False}, 16, 16),
    ({"neon": True}, 16, 32),
    ({}, 16, 16),
)


@pytest.mark.parametrize(("known", "width", "registers"), PROCESSORS)
def test_the_vectors_of_a_processor(known: dict[str, bool], width: int, registers: int) -> None:
    found = target("some", "+this", known)
    assert (found.width, found.registers) == (width, registers)
    assert found.features.startswith("+this")


@pytest.mark.parametrize(
    ("index", "axis", "place"),
    [
        (at("i", "n"), "n", 1),
        (at("i", "j"), "n", None),
        ((Affine.of({"n": 2}),), "n", None),
        ((Affine.of({"n": 1}, 1),), "n", None),
        (at("n"), None, None),
    ],
)
def test_an_axis_alone_is_a_place(index: Any, axis: str | None, place: int | None) -> None:
    assert place_of(index, axis) == place


def test_the_profile_names_every_kernel_and_changes_no_result() -> None:
    graph = step_graph("softmax")
    given = values(graph, 4)
    made = executor(NativeExecutor, graph, given, 4, 1)
    first = run(made, graph, given)
    jobs = [job.nest for band in made.program.bands for job in band.jobs]
    costs = profile(made, lambda: run(made, graph, given), 3)
    assert [cost.job.nest for cost in costs] == jobs
    assert all(cost.seconds > 0 and cost.bytes > 0 for cost in costs)
    assert all((cost.operations > 0) == any(isinstance(value, Apply | Reduce) for value in cost.job.nest.values) for cost in costs)
    again = run(made, graph, given)
    assert all(np.array_equal(again[name], array) for name, array in first.items())


@pytest.mark.parametrize("batch", [False, True])
def test_a_factor_that_is_taken_has_no_other_order(batch: bool) -> None:
    """y[m, n] = sum of a[place[m], k] · b[k, n] over k: no tile, and no copy for one."""
    size: Size = Dim.of("batch") if batch else 40
    writer = Writer({"m": size, "n": 20, "k": 30})
    place = writer.add(Load("place", at("m"), "int64"))
    a = writer.add(Load("a", (Taken(place), Affine.of({"k": 1})), "float32"))
    b = writer.add(Load("b", at("n", "k"), "float32"))
    writer.store("y", at("m", "n"), writer.add(Reduce("sum", writer.add(Apply("multiply", (a, b), "float32")), ("k",), "float32")))
    arrays = {"place": Array((size,), "int64"), "a": Array((50, 30), "float32"), "b": Array((20, 30), "float32")}
    arrays["y"] = Array((size, 20), "float32")
    found = choose([Job(writer.nest("y"), "m" if batch else None)], arrays, set(arrays), host(), {"batch": 40})
    assert [job.nest.name for job in found.jobs] == ["y"]
