"""Nests as text: every kind of value and store, as people read them."""

from __future__ import annotations

import pytest

from runtime.loops.lower import lower
from runtime.loops.nest import Number, Writer
from tests.elaborate.check import network, program

TEXTS = {
    "output y = op.pad(x, before=[0, 1], after=[0, 1])": (
        "nest %1 = pad(%0)\n  axes i: batch, i1: 6\n  0: float32 load %0[i, i1 - 1] else 0\n  store %1[i, i1] = 0"
    ),
    "output n = cast(batch + x[0, 0], f32) * 0": " = size()\n  axes none\n  0: float32 length batch\n",
    "output p = arange(3)\noutput x": "nest %1 = arange()\n  axes i: 3\n  0: int64 position i\n  store %1[i] = 0",
    "output s = max(x, axis=1)": (
        "nest %1 = max(%0)\n  axes k: 4, i: batch\n  0: float32 load %0[i, k]\n  1: float32 max 0 over k\n  store %1[i] = 1"
    ),
    "output r = relu(x)": "  0: float32 load %0[i, i1]\n  1: float32 number 0.0\n  2: float32 maximum 0 1\n  store %1[i, i1] = 2",
}


@pytest.mark.parametrize("body", TEXTS)
def test_text(body: str) -> None:
    text = str(lower(program(network(body)).networks["N"].evaluate))
    assert TEXTS[body] in text, text


def test_the_two_zeros_are_two_values() -> None:
    writer = Writer()
    zeros = [writer.add(Number(value, "float32")) for value in (0.0, -0.0, 0.0)]
    assert zeros == [0, 1, 0] and [repr(value.value) for value in writer.values if isinstance(value, Number)] == ["0.0", "-0.0"]
