"""Networks whose kernels take their rarer ways, forward and backward, against the plain interpreter: the same numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dslc.interpret import interpret
from runtime.forward import compile_forward
from tests.elaborate.check import program

# The inputs, the body, and how many samples
BODIES: dict[str, tuple[str, str, int]] = {
    "transposes that only products read": (
        "input x: [batch, 6, 2, 4]",
        "q = transpose(x * 2, [0, 2, 1, 3])\n  k = transpose(x + 1, [0, 2, 3, 1])\n  output y = q @ k\n"
        "  output z = transpose(x, [0, 2, 1, 3]) @ transpose(x, [0, 2, 3, 1])",
        3,
    ),
    "a transpose whose source is written over": (
        "input x: [batch, 4, 4, 4]",
        "a = relu(x)\n  t = transpose(a, [0, 3, 2, 1])\n  b = exp(a)\n  c = b * b + a\n  output y = t @ t + c",
        3,
    ),
    "nothing that counts": (
        "input x: [batch, 5]\n  input label: i64[batch]",
        "l = cross_entropy(x, cast(label * 0, i64), mask=(label < 0))\n  output loss = l\n  output g = grad(l, x)",
        4,
    ),
    "short indices": (
        "input x: [batch, 5]\n  input i: i32[7]",
        "y = gather(x, i, axis=1)\n  output y\n  output g = grad(sum(y * y), x)",
        3,
    ),
    "pictures that keep their size": (
        "input x: [batch, 2, 6, 6]",
        'y = op.resize(x, size=[6, 6], mode="linear")\n  output y\n  output g = grad(sum(y * y), x)',
        2,
    ),
    "means along one axis of two": (
        "input x: [batch, 2, 7, 6]",
        "y = op.avg_pool(x, kernel=[3, 1], stride=[2, 1])\n  output y\n  output g = grad(sum(y * y), x)",
        2,
    ),
    "truth values as bytes": (
        "input x: [batch, 5]",
        "output y = cast(x > 0, u8)\n  output z = where(x > 0.5, x < 1, x < -0.5)\n  output w = where(x > 0, x > 1, x > 2) and x < 3",
        9,
    ),
    "convolutions of a batch that does not divide": (
        "input x: [batch, 3, 9, 9]\n  input w: [8, 3, 3, 3]",
        "y = op.conv(x, w, stride=2, pad=1)\n  output y\n  output g, h = grad(sum(y * y), x, w)",
        37,
    ),
    "volumes of growing size": (
        "input x: [batch, 2, 5, 6, 7]\n  input w: [4, 2, 3, 3, 3]",
        "y = op.conv(x, w, stride=[2, 1, 2], pad=1)\n  output y\n  output g, h = grad(sum(y * y), x, w)",
        2,
    ),
}


def drawn(type: Any, count: int, rng: np.random.Generator) -> np.ndarray:
    """Whole numbers: sums of products of them are exact."""
    sizes = tuple(size.constant if size.is_constant else count for size in type.shape)
    if type.dtype.is_int:
        return rng.integers(0, 5, sizes).astype(type.dtype.numpy)
    return rng.integers(-3, 4, sizes).astype(type.dtype.numpy)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("name", BODIES)
def test_against_the_interpreter(name: str, threads: int) -> None:
    inputs, body, count = BODIES[name]
    found = program(f"network N {{\n  {inputs}\n  {body}\n}}\n")
    network = found.networks["N"]
    compiled = compile_forward(found, network, batch_size=count, threads=threads)
    for size in (count, max(1, count // 2), 2 * count + 1):
        rng = np.random.default_rng(size)
        arrays = {port.name: drawn(port.type, size, rng) for port in network.inputs}
        wanted = interpret(network.evaluate, np, arrays)
        given = compiled.forward(**arrays)
        for key, value in given.items():
            assert value.dtype == wanted[key].dtype
            np.testing.assert_allclose(value, wanted[key], rtol=2e-5, atol=2e-5)
