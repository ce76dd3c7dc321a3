"""Operators with windows of any size, stride, dilation and padding: nests and machine code against `eval`."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dslc.ops.infer import bind_attrs, evaluate, infer_types
from dslc.ops.table import Mismatch, lookup
from runtime.loops.interpret import interpret_loops
from runtime.loops.lower import lower
from tests.loops.code import run
from tests.loops.test_rows import compare, filled, one_node
from tests.ops.test_table import type_of

Arrays = list[np.ndarray]


def drawn(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return rng.standard_normal(shape).astype(np.float32)


def window(rng: np.random.Generator, rank: int, *, dilated: bool) -> dict[str, Any]:
    """Settings of a window: strides above and below the kernel, paddings that are uneven."""
    kernel = tuple(int(k) for k in rng.integers(1, 5, rank))
    pads = tuple((int(rng.integers(k)), int(rng.integers(k))) for k in kernel)
    found = {"kernel": kernel, "stride": tuple(int(s) for s in rng.integers(1, 5, rank)), "pad": "same" if rng.integers(4) == 0 else pads}
    return found | ({"dilation": tuple(int(d) for d in rng.integers(1, 4, rank))} if dilated else {"ceil": bool(rng.integers(2))})


def shape_of(name: str, arrays: Arrays, attrs: dict[str, Any]) -> tuple[int, ...]:
    types = [type_of(array) for array in arrays]
    return infer_types(lookup(name), types, bind_attrs(name, attrs, types))[0].sizes({})


def convolution(rng: np.random.Generator, x: np.ndarray, rank: int) -> list[tuple[str, Arrays, dict[str, Any]]]:
    attrs = {**window(rng, rank, dilated=True), "groups": int(rng.integers(1, 3))}
    kernel = attrs.pop("kernel")
    w = drawn(rng, 4, x.shape[1] // attrs["groups"], *kernel)
    y = drawn(rng, *shape_of("conv", [x, w], attrs))
    return [
        ("conv", [x, w], attrs),
        ("conv_grad_x", [y, w], {**attrs, "size": x.shape[2:]}),
        ("conv_grad_w", [x, y], {**attrs, "kernel": kernel}),
    ]


def pools(rng: np.random.Generator, x: np.ndarray, rank: int) -> list[tuple[str, Arrays, dict[str, Any]]]:
    attrs = window(rng, rank, dilated=False)
    shape_of("max_pool", [x], attrs)
    y = evaluate("max_pool", np, [x], bind_attrs("max_pool", attrs, [type_of(x)]))[0]
    g, counts = drawn(rng, *y.shape), {"count_pad": bool(rng.integers(2))}
    return [
        ("max_pool", [x], attrs),
        ("max_pool_grad", [x, y, g], attrs),
        ("max_pool_take", [x, y, drawn(rng, *x.shape)], attrs),
        ("max_pool_indices", [x], attrs),
        ("avg_pool", [x], attrs | counts),
        ("avg_pool_grad", [g], {**attrs, **counts, "size": x.shape[2:]}),
        ("sum_pool_grad", [g], {**attrs, "size": x.shape[2:]}),
    ]


def columns(rng: np.random.Generator, x: np.ndarray, rank: int) -> list[tuple[str, Arrays, dict[str, Any]]]:
    attrs = window(rng, rank, dilated=True)
    y = drawn(rng, *shape_of("unfold", [x], attrs))
    return [("unfold", [x], attrs), ("fold", [y], {**attrs, "size": x.shape[2:]})]


def fitting(rng: np.random.Generator, kind: Any) -> list[tuple[str, Arrays, dict[str, Any]]]:
    """Until a window fits into the array."""
    while True:
        rank = int(rng.integers(1, 3))
        x = drawn(rng, 2, 2, *(int(n) for n in rng.integers(1, 9, rank)))
        try:
            return kind(rng, x, rank)
        except Mismatch:
            continue


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("kind", [convolution, pools, columns])
def test_any_window(kind: Any, seed: int) -> None:
    for name, arrays, attrs in fitting(np.random.default_rng(seed), kind):
        bound = bind_attrs(name, attrs, [type_of(array) for array in arrays])
        graph = one_node(name, arrays, bound)
        loops, wanted = lower(graph), evaluate(name, np, arrays, bound)
        given = filled(graph, loops, arrays)
        compare(graph, run(loops, given, {}), wanted)
        interpret_loops(loops, given, {})
        compare(graph, given, wanted)
