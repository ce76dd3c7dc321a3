"""Random draws in nests: the bits of `dslc/ops/philox.py`, for any key."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dslc.ir.types import DType
from dslc.ops.infer import evaluate
from runtime.loops.interpret import interpret_loops
from runtime.loops.lower import lower
from tests.loops.code import run
from tests.loops.test_rows import one_node

KEYS = ([0, 0, 0], [7, 3, 11], [-5, 2**40 + 9, 2**33 + 1], [2**62, 2**32 - 1, 2**32 - 2])
SHAPES = ((), (5,), (3, 6), (2, 3, 5, 3), (4, 1, 8))
ROWS: tuple[tuple[str, dict[str, Any]], ...] = (("uniform", {"low": -1.0, "high": 3.0}), ("bernoulli", {"p": 0.3}))


@pytest.mark.parametrize("key", KEYS, ids=str)
@pytest.mark.parametrize("dtype", [DType.f32, DType.f64])
@pytest.mark.parametrize(("name", "settings"), ROWS)
def test_the_same_bits(name: str, settings: dict[str, Any], dtype: DType, key: list[int]) -> None:
    for shape in SHAPES:
        attrs = {**settings, "shape": shape, "dtype": dtype, "stream": 2**63 - 25}
        graph, data = one_node(name, [np.array(key, np.int64)], attrs), np.array(key, np.int64)
        (wanted,) = evaluate(name, np, [data], attrs)
        loops = lower(graph)
        given = {f"%{graph.inputs[0].id}": data, f"%{graph.outputs[0].id}": np.zeros(shape, dtype.numpy)}
        native = run(loops, given, {})
        interpret_loops(loops, given, {})
        for found in (native, given):
            assert found[f"%{graph.outputs[0].id}"].tobytes() == wanted.tobytes()


@pytest.mark.parametrize("key", KEYS, ids=str)
@pytest.mark.parametrize(("name", "more"), [("random_flip", {}), ("random_shift", {"pixels": 3}), ("random_shift_back", {"pixels": 1})])
def test_samples_that_are_changed(name: str, more: dict[str, Any], key: list[int]) -> None:
    x, data = np.arange(7 * 2 * 3 * 5, dtype=np.float32).reshape(7, 2, 3, 5) + 1, np.array(key, np.int64)
    attrs = {**more, "stream": 77}
    graph = one_node(name, [x, data], attrs)
    (wanted,) = evaluate(name, np, [x, data], attrs)
    found = run(
        lower(graph), {f"%{graph.inputs[0].id}": x, f"%{graph.inputs[1].id}": data, f"%{graph.outputs[0].id}": np.zeros_like(x)}, {}
    )
    np.testing.assert_array_equal(found[f"%{graph.outputs[0].id}"], wanted)
