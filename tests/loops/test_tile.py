"""Register tiles: whole numbers are exact, whatever the shape, the layout, the band and the parts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from dslc.ir.types import Dim
from runtime.kernels.native.layout import Layout, in_order, plain
from runtime.kernels.native.machine import host
from runtime.kernels.native.roles import find_roles, guarded
from runtime.loops.interpret import interpret_loops
from runtime.loops.nest import Affine, Apply, Array, Load, Loops, Nest, Reduce, Writer, at, value_of
from tests.loops.code import run

M = Dim.of("batch")


def contraction(
    axes: dict[str, Any], a: Sequence[Any], b: Sequence[Any], c: Sequence[Any], over: Sequence[str], fill: bool = False
) -> Nest:
    writer = Writer(dict(axes))
    left = writer.add(Load("a", at(*a), "float32", 0.0 if fill else None))
    right = writer.add(Load("b", at(*b), "float32"))
    product = writer.add(Apply("multiply", (left, right), "float32"))
    total = writer.add(Reduce("sum", product, tuple(over), "float32"))
    writer.store("c", at(*c), total)
    return writer.nest("contraction")


def whole_numbers(arrays: dict[str, Array], dims: dict[str, int]) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(5)
    shapes = {name: [value_of(size, dims) for size in array.shape] for name, array in arrays.items()}
    return {name: rng.integers(-4, 5, shape).astype(np.float32) for name, shape in shapes.items()}


def check(nest: Nest, arrays: dict[str, Array], dims: dict[str, int], *, band: str | None, parts: int = 1, **orders: Sequence[int]) -> None:
    """The tile's code computes exactly what the definition says."""
    layouts: dict[str, Layout] = {**plain(arrays), **{name: in_order(arrays[name].shape, order) for name, order in orders.items()}}
    assert find_roles(nest, arrays, layouts, host()) is not None
    loops = Loops(arrays, (nest,))
    data = whole_numbers(arrays, dims)
    wanted = {name: array.copy() for name, array in data.items()}
    interpret_loops(loops, wanted, dims)
    if band in nest.axes and band not in nest.parallel:
        data["c"][...] = 0
    stored = {name: np.ascontiguousarray(array.transpose(orders.get(name, range(array.ndim)))) for name, array in data.items()}
    found = run(loops, stored, dims, layouts=layouts, bands={0: band} if band else {}, parts=parts)
    np.testing.assert_array_equal(found["c"].transpose(np.argsort(orders.get("c", range(data["c"].ndim)))), wanted["c"])


@pytest.mark.parametrize("m", [1, 2, 3, 5, 8, 13])
@pytest.mark.parametrize(("k", "n"), [(1, 2), (3, 7), (8, 16), (5, 17), (2, 33), (7, 70), (16, 64)])
@pytest.mark.parametrize("parts", [1, 3])
def test_matmul(m: int, k: int, n: int, parts: int) -> None:
    """a [m, k] · b [k, n], m known when it runs."""
    nest = contraction({"m": M, "n": n, "k": k}, ["m", "k"], ["k", "n"], ["m", "n"], ["k"])
    check(
        nest,
        {"a": Array((M, k), "float32"), "b": Array((k, n), "float32"), "c": Array((M, n), "float32")},
        {"batch": m},
        band="m",
        parts=parts,
    )


@pytest.mark.parametrize("m", [1, 4])
@pytest.mark.parametrize("c", [("m", "i", "n"), ("i", "m", "n")])
def test_a_sum_that_goes_to_several_places(c: tuple[str, ...], m: int) -> None:
    """c[m, i, n] = a [m, k] · b [k, n] for every i."""
    nest = contraction({"m": M, "n": 20, "k": 5, "i": 3}, ["m", "k"], ["k", "n"], c, ["k"])
    shape = tuple({"m": M, "i": 3, "n": 20}[axis] for axis in c)
    check(nest, {"a": Array((M, 5), "float32"), "b": Array((5, 20), "float32"), "c": Array(shape, "float32")}, {"batch": m}, band="m")


@pytest.mark.parametrize(("k", "n"), [(1, 5), (19, 70), (300, 33), (9, 5000)])
def test_one_row_has_the_bits_that_it_has_among_others(k: int, n: int) -> None:
    nest = contraction({"m": M, "n": n, "k": k}, ["m", "k"], ["k", "n"], ["m", "n"], ["k"])
    loops = Loops({"a": Array((M, k), "float32"), "b": Array((k, n), "float32"), "c": Array((M, n), "float32")}, (nest,))
    rng = np.random.default_rng(1)
    data = {name: rng.standard_normal(shape).astype(np.float32) for name, shape in (("a", (7, k)), ("b", (k, n)), ("c", (7, n)))}
    many = run(loops, data, {"batch": 7})["c"]
    for row in range(7):
        one = {"a": data["a"][row : row + 1], "b": data["b"], "c": data["c"][:1]}
        assert run(loops, one, {"batch": 1})["c"].tobytes() == many[row].tobytes()


@pytest.mark.parametrize("k", [1, 4, 7, 9])
def test_a_sum_in_parts_adds(k: int) -> None:
    """The gradient of a matrix: the sum over the batch, in parts."""
    nest = contraction({"i": 5, "o": 19, "n": M}, ["n", "i"], ["n", "o"], ["i", "o"], ["n"])
    arrays = {"a": Array((M, 5), "float32"), "b": Array((M, 19), "float32"), "c": Array((5, 19), "float32")}
    check(nest, arrays, {"batch": k}, band="n", parts=3)


SHAPES = (  # height, width, kernel, stride, dilation, pad, channels, outputs
    (5, 5, 3, 1, 1, 1, 3, 16),
    (4, 4, 5, 1, 1, 2, 1, 20),
    (7, 6, 3, 2, 1, 1, 2, 5),
    (1, 1, 3, 1, 1, 1, 4, 33),
    (9, 8, 2, 3, 2, 0, 3, 17),
    (3, 3, 1, 1, 1, 0, 8, 8),
    (6, 6, 3, 4, 1, 1, 2, 50),
)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("channels", [2, 16, 24, 37])
def test_a_convolution_of_each_channel(shape: tuple[int, ...], channels: int) -> None:
    """Depthwise: both factors lie side by side along the channels."""
    height, width, kernel, stride, dilation, pad, _, _ = shape
    out = [(size + 2 * pad - dilation * (kernel - 1) - 1) // stride + 1 for size in (height, width)]
    sizes = {"h": out[0], "w": out[1], "r": kernel, "s": kernel}
    arrays = {
        "a": Array((M, channels, height, width), "float32"),
        "b": Array((channels, kernel, kernel), "float32"),
        "c": Array((M, channels, *out), "float32"),
    }
    index = places(stride, dilation, pad)
    last = (0, 2, 3, 1)
    nest = contraction({"n": M, "g": channels} | sizes, ["n", "g", *index], ["g", "r", "s"], ["n", "g", "h", "w"], ["r", "s"], pad > 0)
    check(nest, arrays, {"batch": 3}, band="n", parts=2, a=last, b=(1, 2, 0), c=last)
    arrays = {"a": arrays["a"], "b": arrays["c"], "c": arrays["b"]}
    nest = contraction({"g": channels, "n": M} | sizes, ["n", "g", *index], ["n", "g", "h", "w"], ["g", "r", "s"], ["n", "h", "w"], pad > 0)
    check(nest, arrays, {"batch": 3}, band="n", parts=2, a=last, b=last, c=(1, 2, 0))


def places(stride: int, dilation: int, pad: int) -> list[Affine]:
    return [Affine.of({p: stride, r: dilation}, -pad) for p, r in (("h", "r"), ("w", "s"))]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("batch", [1, 3])
def test_convolution_with_channels_last(shape: tuple[int, ...], batch: int) -> None:
    height, width, kernel, stride, dilation, pad, channels, outputs = shape
    out = [(size + 2 * pad - dilation * (kernel - 1) - 1) // stride + 1 for size in (height, width)]
    axes = {"n": M, "o": outputs, "h": out[0], "w": out[1], "c": channels, "r": kernel, "s": kernel}
    arrays = {
        "a": Array((M, channels, height, width), "float32"),
        "b": Array((outputs, channels, kernel, kernel), "float32"),
        "c": Array((M, outputs, *out), "float32"),
    }
    nest = contraction(
        axes, ["n", "c", *places(stride, dilation, pad)], ["o", "c", "r", "s"], ["n", "o", "h", "w"], ["c", "r", "s"], pad > 0
    )
    check(nest, arrays, {"batch": batch}, band="n", parts=2, a=(0, 2, 3, 1), b=(2, 3, 1, 0), c=(0, 2, 3, 1))


@pytest.mark.parametrize("shape", SHAPES)
def test_the_gradient_of_kernels(shape: tuple[int, ...]) -> None:
    height, width, kernel, stride, dilation, pad, channels, outputs = shape
    out = [(size + 2 * pad - dilation * (kernel - 1) - 1) // stride + 1 for size in (height, width)]
    axes = {"o": outputs, "c": channels, "r": kernel, "s": kernel, "n": M, "h": out[0], "w": out[1]}
    arrays = {
        "a": Array((M, channels, height, width), "float32"),
        "b": Array((M, outputs, *out), "float32"),
        "c": Array((outputs, channels, kernel, kernel), "float32"),
    }
    nest = contraction(
        axes, ["n", "c", *places(stride, dilation, pad)], ["n", "o", "h", "w"], ["o", "c", "r", "s"], ["n", "h", "w"], pad > 0
    )
    check(nest, arrays, {"batch": 4}, band="n", parts=2, a=(0, 2, 3, 1), b=(0, 2, 3, 1), c=(2, 3, 1, 0))


@pytest.mark.parametrize("shape", [shape for shape in SHAPES if shape[5]])
def test_zeros_around_an_array_are_memory(shape: tuple[int, ...]) -> None:
    """Where a border holds the zeros, the rows of the tile go along the last axis, and no bound is looked at."""
    height, width, kernel, stride, dilation, pad, channels, outputs = shape
    out = [(size + 2 * pad - dilation * (kernel - 1) - 1) // stride + 1 for size in (height, width)]
    axes = {"n": 2, "o": outputs, "h": out[0], "w": out[1], "c": channels, "r": kernel, "s": kernel}
    arrays = {
        "a": Array((2, channels, height, width), "float32"),
        "b": Array((outputs, channels, kernel, kernel), "float32"),
        "c": Array((2, outputs, *out), "float32"),
    }
    index = places(stride, dilation, pad)
    nest = contraction(axes, ["n", "c", *index], ["o", "c", "r", "s"], ["n", "o", "h", "w"], ["c", "r", "s"], fill=True)
    last = (0, 2, 3, 1)
    layouts = {
        "a": in_order(arrays["a"].shape, last, ((0, 0), (0, 0), (0, 0), (pad, pad + stride))),
        "b": in_order(arrays["b"].shape, (2, 3, 1, 0)),
        "c": in_order(arrays["c"].shape, last),
    }
    assert not guarded(nest, 0, "w", arrays, layouts)
    assert guarded(nest, 0, "h", arrays, layouts)
    loops, data = Loops(arrays, (nest,)), whole_numbers(arrays, {})
    wanted = {name: array.copy() for name, array in data.items()}
    interpret_loops(loops, wanted, {})
    stored = {name: np.ascontiguousarray(data[name].transpose(order)) for name, order in (("b", (2, 3, 1, 0)), ("c", last))}
    stored["a"] = np.zeros((2, height, width + 2 * pad + stride, channels), np.float32)
    stored["a"][:, :, pad : pad + width] = data["a"].transpose(last)
    found = run(loops, stored, {}, layouts=layouts)
    np.testing.assert_array_equal(found["c"].transpose(np.argsort(last)), wanted["c"])
