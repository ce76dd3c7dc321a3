"""Views of views, in an order of chance: what a nest reads through them is what NumPy reads."""

from __future__ import annotations

from math import prod

import numpy as np
import pytest

from dslc.ir.types import DType, tensor
from dslc.ops.infer import evaluate
from dslc.ops.value import Builder, Val
from runtime.loops.interpret import interpret_loops
from runtime.loops.lower import lower
from tests.loops.code import run

STEPS = 5


def factors(rng: np.random.Generator, size: int, count: int) -> tuple[int, ...]:
    """Sizes whose product this is."""
    found = [1] * count
    for prime in (2, 2, 2, 3, 3, 5):
        if size % prime == 0:
            found[rng.integers(count)] *= prime
            size //= prime
    found[rng.integers(count)] *= size
    return tuple(found)


def step(rng: np.random.Generator, shape: tuple[int, ...]) -> tuple[str, dict[str, object]]:
    """A view of a tensor of this shape."""
    match rng.integers(4):
        case 0:
            return "reshape", {"shape": factors(rng, prod(shape), int(rng.integers(1, 5)))}
        case 1:
            return "transpose", {"axes": tuple(int(a) for a in rng.permutation(len(shape)))}
        case 2:
            starts = [int(rng.integers(size)) for size in shape]
            stops = [int(rng.integers(start + 1, size + 1)) for start, size in zip(starts, shape, strict=True)]
            return "slice", {"starts": tuple(starts), "stops": tuple(stops)}
        case _:
            return "flip", {"axis": int(rng.integers(len(shape)))}


@pytest.mark.parametrize("seed", range(40))
def test_a_chain_of_views(seed: int) -> None:
    rng = np.random.default_rng(seed)
    shape = factors(rng, 360, 3)
    data = rng.standard_normal(shape).astype(np.float32)
    b = Builder("Views")
    value: Val = b.input("input", "x", tensor(DType.f32, *shape))
    wanted = data
    for _ in range(STEPS):
        name, attrs = step(rng, wanted.shape)
        (value,) = b.many(name, [value], **attrs)
        (wanted,) = evaluate(name, np, [wanted], attrs)
    (value,) = b.many("exp", [value])
    b.output("y", value)
    graph = b.build()
    loops = lower(graph)
    arrays = {name: np.full(array.shape, 7, array.dtype) for name, array in loops.arrays.items()} | {f"%{graph.inputs[0].id}": data}
    result = f"%{graph.outputs[0].id}"
    native = run(loops, arrays, {})[result]
    interpret_loops(loops, arrays, {})
    np.testing.assert_allclose(arrays[result], np.exp(wanted), rtol=1e-6)
    np.testing.assert_allclose(native, np.exp(wanted), rtol=1e-6)
