"""What array expressions become in a trace: the values that NumPy computes, or a refusal that says why."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from dslc.ir.types import Dim, DType, tensor
from dslc.ops.infer import evaluate
from dslc.ops.value import Builder
from runtime.loops.interpret import interpret_loops
from runtime.loops.lower import lower
from runtime.loops.nest import Affine, Array, Load, Loops, Size, Writer, at, value_of
from runtime.loops.tensor import Tensor
from runtime.loops.tracer import Tracer, all_of
from runtime.loops.trim import NoNest

X = np.random.default_rng(0).standard_normal((4, 6)).astype(np.float32)
N = Dim.of("n")
Write = Callable[[Any, Any], Any]

SAID: dict[str, Write] = {
    "size": lambda xp, x: x * x.size,
    "T": lambda xp, x: x.T,
    "swapaxes": lambda xp, x: x.swapaxes(0, 1),
    "sum": lambda xp, x: x.sum(0),
    "sum of all": lambda xp, x: x.sum(keepdims=True),
    "max": lambda xp, x: x.max(1),
    "min": lambda xp, x: x.min(1, keepdims=True),
    "mean": lambda xp, x: x.mean(0),
    "the last": lambda xp, x: x[-1],
    "a column": lambda xp, x: x[..., 2],
    "every second": lambda xp, x: x[1::2, None],
    "zeros_like": lambda xp, x: x + xp.zeros_like(x),
    "ones_like": lambda xp, x: x + xp.ones_like(x),
    "flip of all": lambda xp, x: xp.flip(x),
    "transpose": lambda xp, x: xp.transpose(x),
    "expand_dims": lambda xp, x: xp.expand_dims(x, (0, -1)),
    "squeeze": lambda xp, x: xp.squeeze(xp.expand_dims(x, 0)),
    "argmin": lambda xp, x: xp.argmin(x, axis=1),
    "all": lambda xp, x: xp.all(x > 0, axis=0),
    "any": lambda xp, x: xp.any(x > 1, axis=0),
    "prod": lambda xp, x: xp.prod(x, axis=0),
    "where with a number of NumPy": lambda xp, x: xp.where(x > 0, np.float32(2), x),
    "where with an array of no axes": lambda xp, x: xp.where(x > 0, x, np.array(2, np.float32)),
    "a truth value": lambda xp, x: x * True,
    "asarray": lambda xp, x: xp.asarray(x, np.float64) + xp.asarray(x),
    "parts by division": lambda xp, x: xp.reshape(xp.reshape(x, (3, 8))[:, 1:7], (9, 2)),
    "parts of an axis": lambda xp, x: xp.reshape(xp.reshape(x, (2, 2, 6)).transpose(1, 0, 2), (4, 6)),
    "tril": lambda xp, x: xp.tril(x, 1),
    "triu": lambda xp, x: xp.triu(x, -1),
    "places of places": lambda xp, x: xp.take(xp.arange(6), xp.where(x > 0, 1, 2), 0),
    "roll": lambda xp, x: xp.roll(x, (1, 2), (0, 1)),
}
REFUSED: dict[str, tuple[Write, str]] = {
    "a condition": (lambda xp, x: 1 if x else 2, "a value decides"),
    "a loop": (lambda xp, x: [*x], "a loop over values"),
    "a number": (lambda xp, x: float(x), "a value leaves the trace"),
    "a change in place": (lambda xp, x: x.__iadd__(1), "changed in place"),
    "an array": (lambda xp, x: x + np.ones(6), "an operand of type ndarray"),
    "a list of places": (lambda xp, x: x[[0, 1]], "no view"),
    "settings of a function": (lambda xp, x: xp.exp(x, where=True), "with settings"),
    "a function without a nest": (lambda xp, x: xp.linspace(0, 1, 3), r"xp\.linspace"),
    "a choice by a number": (lambda xp, x: xp.where(True, x, 0), "no tensor"),
    "a shape of other elements": (lambda xp, x: xp.reshape(x, (5, -1)), "a shape"),
    "shapes that do not meet": (lambda xp, x: x + x[:, :5], "shapes"),
    "running along a long axis": (lambda xp, x: xp.cumsum(xp.broadcast_to(x[:, :1], (4, 100)), 1, np.float32), "a long axis"),
    "places of what is taken": (lambda xp, x: read(xp.take(xp.reshape(x, (3, 8)), xp.arange(8) * 1, 1)), "no sum of places"),
    "outside of a view": (lambda xp, x: x[1:].fenced(all_of(x.tracer, (3, 6)), 0.0), "no array of its own"),
}
OPEN: dict[str, tuple[Write, str]] = {
    "the last place": (lambda xp, x: x[-1], "from the end of an open axis"),
    "every second place": (lambda xp, x: x[::2], "no fixed start"),
    "backwards": (lambda xp, x: xp.flip(x, 0), "an open axis backwards"),
    "in parts": (lambda xp, x: xp.split(x, 2, 0), "parts of an open axis"),
    "a shape that is no quotient": (lambda xp, x: xp.reshape(x, (5, -1)), "a shape"),
    "another shape": (lambda xp, x: xp.reshape(x, (3, 2)), "as"),
    "running along it": (lambda xp, x: xp.cumprod(x, 0, np.float32), "a long axis"),
    "an axis inside another": (lambda xp, x: read(xp.reshape(x.T, (N * 6,))), "no fixed length"),
    "parts of what is taken": (
        lambda xp, x: read(xp.take(xp.reshape(xp.reshape(x, (N, 2, 3)), (N, 6)), xp.arange(6) * 1, 1)),
        "taken from an array, in parts",
    ),
    "a slice of what is taken": (lambda xp, x: read(xp.take(x[:, 1:], xp.arange(5) * 1, 1)), "a slice of what is taken"),
}


def read(x: Tensor) -> int:
    return x.read(all_of(x.tracer, x.shape))


def value(write: Write, x: np.ndarray, first: Size | None = None) -> np.ndarray:
    """What a nest of the expression computes. first: the length of the first axis, where that is open."""
    tracer = Tracer()
    shape = (first or x.shape[0], *x.shape[1:])
    result = write(tracer.xp, tracer.array("x", shape, x.dtype))
    index = all_of(tracer, result.shape)
    tracer.writer.store("y", index, result.read(index))
    arrays = {"x": Array(shape, x.dtype.name), "y": Array(result.shape, result.dtype.name)}
    dims = {"n": x.shape[0]}
    data = {"x": x, "y": np.zeros([value_of(size, dims) for size in result.shape], result.dtype)}
    interpret_loops(Loops(arrays, (tracer.nest("said"),)), data, dims)
    return data["y"]


@pytest.mark.parametrize("name", SAID)
def test_what_can_be_said(name: str) -> None:
    wanted = np.asarray(SAID[name](np, X))
    found = value(SAID[name], X)
    assert found.dtype == wanted.dtype and found.shape == wanted.shape
    np.testing.assert_allclose(found, wanted, rtol=1e-6)


@pytest.mark.parametrize("write", [lambda xp, x: x[2], lambda xp, x: x[1:], lambda xp, x: x[1:-1]])
def test_places_of_an_open_axis(write: Write) -> None:
    np.testing.assert_array_equal(value(write, X, N), write(np, X))


def test_the_definition_refuses_places_outside() -> None:
    writer = Writer({"i": 4})
    writer.store("y", at("i"), writer.add(Load("x", (Affine.of({"i": 1}, 1),), "float32")))
    data = {name: np.zeros(4, np.float32) for name in "xy"}
    with pytest.raises(IndexError, match=r"reads x\[4\]"):
        interpret_loops(Loops({name: Array((4,), "float32") for name in "xy"}, (writer.nest("outside"),)), data, {})


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_said(name: str) -> None:
    write, why = REFUSED[name]
    tracer = Tracer()
    with pytest.raises(NoNest, match=why):
        write(tracer.xp, tracer.array("x", (4, 6), "float32"))


@pytest.mark.parametrize("name", OPEN)
def test_what_cannot_be_said_of_an_open_axis(name: str) -> None:
    write, why = OPEN[name]
    tracer = Tracer()
    with pytest.raises(NoNest, match=why):
        write(tracer.xp, tracer.array("x", (N, 6), "float32"))


@pytest.mark.parametrize("reduction", ["max", "min", "add", "mul", "set"])
def test_scatter_of_whole_numbers(reduction: str) -> None:
    arrays = [np.array([[3, -4, 5]]), np.array([[0, 2, 0, 2]]), np.array([[7, -9, 1, 2]])]
    b = Builder("scatter")
    values = [b.input("input", f"x{i}", tensor(DType.i64, *array.shape)) for i, array in enumerate(arrays)]
    b.output("y", b.many("scatter", values, axis=1, reduction=reduction)[0])
    graph = b.build()
    loops = lower(graph)
    data = {f"%{item.id}": array for item, array in zip(graph.inputs, arrays, strict=True)}
    data = {name: data.get(name, np.zeros(array.shape, array.dtype)) for name, array in loops.arrays.items()}
    interpret_loops(loops, data, {})
    (wanted,) = evaluate("scatter", np, arrays, {"axis": 1, "reduction": reduction})
    np.testing.assert_array_equal(data[f"%{graph.outputs[0].id}"], wanted)


def test_what_has_no_nest_reads_arrays_as_they_stand() -> None:
    """A view before it is written out; the step says why it is none."""
    b = Builder("area")
    x, truth = b.input("input", "x", tensor("f32", 2, 6)), b.input("input", "truth", tensor("i64", 12))
    (flat,) = b.many("reshape", [x], shape=(12,))
    b.output("area", b.many("roc_auc", [flat, truth])[0])
    graph = b.build()
    with pytest.raises(NoNest):
        lower(graph)
    loops = lower(graph, whole=False)
    (step,) = loops.foreign
    assert str(step).startswith("foreign roc_auc: ")
    assert step.reads == (f"%{flat.id}", f"%{truth.id}") and [nest.writes for nest in loops.nests] == [(f"%{flat.id}",)]
