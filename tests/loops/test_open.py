"""Nests over axes whose lengths are known only when the code runs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dslc.interpret import interpret
from dslc.ir.types import Dim, DType, tensor
from dslc.ops.table import lookup
from dslc.ops.value import Builder
from runtime.loops.interpret import interpret_loops
from runtime.loops.lower import lower
from runtime.loops.nest import Size, value_of
from tests.loops.code import run

N, H = Dim.of("n"), Dim.of("h")
IMAGE = (N, 2, H, 5)
POOL = {"kernel": (2, 2), "stride": (1, 2), "pad": ((1, 0), (0, 1)), "ceil": False}
CONV = {"stride": (2, 1), "pad": ((1, 1), (0, 1)), "dilation": (1, 2), "groups": 1}

SUBJECTS: tuple[tuple[str, tuple[tuple[Size, ...], ...], dict[str, Any]], ...] = (
    ("slice", (IMAGE,), {"starts": (0, 1, 2, 0), "stops": (N, 2, H, 3)}),
    ("slice", (IMAGE,), {"starts": (0, 0, 0, 0), "stops": (N, 2, H - 1, 5)}),
    ("concat", (IMAGE, IMAGE), {"axis": 1}),
    ("concat", ((2, H), (1, H)), {"axis": 0}),
    ("concat", ((2, H), (2, 3), (2, H)), {"axis": 1}),
    ("reshape", (IMAGE,), {"shape": (N, 2, H * 5)}),
    ("reshape", (IMAGE,), {"shape": (N * 2, H, 5)}),
    ("pad", (IMAGE,), {"before": (0, 0, 1, 2), "after": (0, 0, 2, 0), "value": 1.5, "mode": "constant"}),
    ("conv", (IMAGE, (3, 2, 3, 2)), CONV),
    ("conv", (IMAGE, (3, 2, 3, 2)), {**CONV, "pad": "same", "stride": (1, 1)}),
    ("max_pool", (IMAGE,), POOL),
    ("avg_pool", (IMAGE,), {**POOL, "count_pad": False}),
    ("roll", (IMAGE,), {"shift": (2,), "axis": (2,)}),
    ("tile", (IMAGE,), {"repeats": (1, 1, 1, 3)}),
    ("tril", ((H, H),), {"k": 1}),
    ("argmax", (IMAGE,), {"axis": 2}),
    ("einsum", ((N, H, 3), (N, 3, 4)), {"equation": "bik,bkj->bij"}),
    ("lrn", (IMAGE,), {"size": 3, "alpha": 0.5, "beta": 0.75, "k": 1.0}),
    ("random_shift", (IMAGE,), {"pixels": 1, "stream": 5}),
    ("random_flip", (IMAGE,), {"stream": 5}),
    ("bernoulli", (IMAGE,), {"p": 0.5, "shape": (N, 2, H, H, 3), "dtype": DType.f32, "stream": 5}),
)
FIXED = {"random_shift": (N, 2, 3, 5)}


@pytest.mark.parametrize("dims", [{"n": 3, "h": 4}, {"n": 1, "h": 7}], ids=str)
@pytest.mark.parametrize(("name", "shapes", "attrs"), SUBJECTS, ids=[f"{i}-{name}" for i, (name, *_) in enumerate(SUBJECTS)])
def test_open_axes(name: str, shapes: tuple[tuple[Size, ...], ...], attrs: dict[str, Any], dims: dict[str, int]) -> None:
    b = Builder("Open")
    values = [b.input("input", f"x{i}", tensor(DType.f32, *FIXED.get(name, shape))) for i, shape in enumerate(shapes)]
    if lookup(name).random:
        values = [*(values if name != "bernoulli" else ()), b.key()]
    b.output("y", b.many(name, values, **attrs)[0])
    graph = b.build()
    rng = np.random.default_rng(5)
    data = {
        item.name: np.array([1, 2, 3], np.int64)
        if item.kind == "key"
        else rng.standard_normal(graph.types[item.id].sizes(dims)).astype(np.float32)
        for item in graph.inputs
    }
    wanted = interpret(graph, np, data)["y"]
    loops = lower(graph)
    given = {f"%{item.id}": data[item.name] for item in graph.inputs}
    arrays = {name: np.full([value_of(size, dims) for size in array.shape], 7, array.dtype) for name, array in loops.arrays.items()} | given
    result = f"%{graph.outputs[0].id}"
    native = run(loops, arrays, dims)[result]
    interpret_loops(loops, arrays, dims)
    for found in (arrays[result], native):
        np.testing.assert_allclose(found, wanted, rtol=2e-5, atol=2e-6)
