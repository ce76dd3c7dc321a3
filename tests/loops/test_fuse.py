"""Joined nests mean what the nests meant, and the joins that people expect do happen."""

from __future__ import annotations

import numpy as np
import pytest

from dslc.ir.graph import Graph
from dslc.ir.types import Dim
from runtime.loops.fuse import fuse
from runtime.loops.interpret import interpret_loops
from runtime.loops.lower import lower
from runtime.loops.nest import Affine, Apply, Array, Load, Loops, Nest, Reduce, Writer, at, value_of
from tests.loops.networks import graph_of
from tests.loops.test_programs import step_graph, values

ROWS = """dslc 1

network Net {
  input x: [batch, 3, 4]
  output y = x -> dense(4) -> layer_norm -> dense(4) -> softmax -> flatten -> dense(4)
}
"""
GROUPS = """dslc 1

network Net {
  input x: [batch, 3, 2, 2]
  output y = x -> conv(6, kernel=1) -> group_norm(groups=3) -> flatten -> dense(4)
}
"""
N = Dim.of("batch")
SIZES = {"batch": 2}


def kept(graph: Graph) -> set[str]:
    return {f"%{output.id}" for output in (*graph.outputs, *graph.updates)}


def joined(graph: Graph) -> tuple[Loops, Loops]:
    loops = lower(graph)
    steps = fuse(loops.steps, loops.arrays, {*kept(graph), *loops.checks})
    return loops, Loops(loops.arrays, tuple(steps), loops.checks, loops.constants)


def arrays(graph: Graph, loops: Loops, labels: int = 10) -> dict[str, np.ndarray]:
    given = {f"%{item.id}": array for item, array in zip(graph.inputs, values(graph, 2, labels).values(), strict=True)}
    shapes = {name: [value_of(size, SIZES) for size in array.shape] for name, array in loops.arrays.items()}
    return {name: np.zeros(shapes[name], array.dtype) for name, array in loops.arrays.items()} | given | loops.constants


@pytest.mark.parametrize("name", ["xor", "regression", "softmax"])
def test_joined_nests_mean_the_same(name: str) -> None:
    graph = step_graph(name)
    before, after = joined(graph)
    found = []
    for loops in (before, after):
        data = arrays(graph, loops)
        interpret_loops(loops, data, SIZES)
        found.append(data)
    for place in kept(graph):
        np.testing.assert_allclose(found[1][place], found[0][place], rtol=1e-6, atol=1e-7, err_msg=place)
    assert len(after.steps) < len(before.steps)


@pytest.mark.parametrize(("text", "shape"), [(ROWS, (3, 4)), (GROUPS, (3, 2, 2))])
def test_rows_are_gone_through_by_one_nest(text: str, shape: tuple[int, ...]) -> None:
    """Softmax, layer norm, group norm and their gradients: what is combined along a row never lies in memory."""
    graph = graph_of(text, shape)
    before, after = joined(graph)
    found = []
    for loops in (before, after):
        data = arrays(graph, loops, labels=4)
        interpret_loops(loops, data, SIZES)
        found.append(data)
    for place in kept(graph):
        np.testing.assert_allclose(found[1][place], found[0][place], rtol=1e-5, atol=1e-6, err_msg=place)
    sums = {name for name, array in found[0].items() if array.shape in ((2, 3), (2, 3, 1))}
    assert sums and not sums & {name for step in after.steps for name in step.writes}


@pytest.mark.parametrize("over", ["n", "c"])
def test_sums_over_samples_are_not_made_row_by_row(over: str) -> None:
    """y = x - (the sum of x over an axis): joined where every sample has its own sum."""
    sizes, arrays = {"n": N, "c": 3}, {"x": Array((N, 3), "float32"), "y": Array((N, 3), "float32")}
    (rest,) = sizes.keys() - {over}
    arrays["s"] = Array((sizes[rest],), "float32")
    first, second = Writer(dict(sizes)), Writer(dict(sizes))
    first.store("s", at(rest), first.add(Reduce("sum", first.add(Load("x", at("n", "c"), "float32")), (over,), "float32")))
    x, total = second.add(Load("x", at("n", "c"), "float32")), second.add(Load("s", at(rest), "float32"))
    second.store("y", at("n", "c"), second.add(Apply("subtract", (x, total), "float32")))
    assert len(fuse([first.nest("s"), second.nest("y")], arrays, {"y"})) == (1 if over == "c" else 2)


@pytest.mark.parametrize("length", [6, 5])
def test_parts_of_an_axis_are_read_in_parts(length: int) -> None:
    """x is stored in parts of 2 and 3: who reads all of it reads the parts, who reads less reads the array."""
    arrays = {"x": Array((N, 2, 3), "float32"), "y": Array((N, 6), "float32"), "z": Array((N, length), "float32")}
    first, second = Writer({"n": N, "i": 2, "j": 3}), Writer({"n": N, "k": length})
    first.store("y", at("n", Affine.of({"i": 3, "j": 1})), first.add(Load("x", at("n", "i", "j"), "float32")))
    y = second.add(Load("y", at("n", "k"), "float32"))
    second.store("z", at("n", "k"), second.add(Apply("multiply", (y, y), "float32")))
    nests = fuse([first.nest("y"), second.nest("z")], arrays, {"z"})
    x = np.arange(12, dtype=np.float32).reshape(2, 2, 3)
    data = {"x": x, "y": np.zeros((2, 6), np.float32), "z": np.zeros((2, length), np.float32)}
    interpret_loops(Loops(arrays, tuple(nests)), data, SIZES)
    np.testing.assert_array_equal(data["z"], (x * x).reshape(2, 6)[:, :length])
    assert len(nests) == (1 if length == 6 else 2)


def test_bias_and_activation_join_the_product() -> None:
    """LeNet's dense layer is one nest: the product, the bias and the activation."""
    _, after = joined(step_graph("lenet"))
    dense = next(step for step in after.steps if isinstance(step, Nest) and "relu" in step.name)
    functions = [getattr(value, "function", "") for value in dense.values]
    assert {"multiply", "sum", "add"} <= set(functions) and len(dense.reads) == 3


def test_what_two_read_is_stored() -> None:
    """Every array that a step reads is given or written, and what is written is read or looked at."""
    graph = step_graph("lenet")
    for loops in joined(graph):
        written = {name for step in loops.steps for name in step.writes}
        read = {name for step in loops.steps for name in step.reads}
        given = {f"%{item.id}" for item in graph.inputs} | set(loops.constants)
        assert read <= written | given
        assert written <= read | kept(graph) | set(loops.checks)
