"""Gradients against differences of the loss."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from dslc.ir.types import tensor
from dslc.ops.table import TABLE
from dslc.ops.value import Builder, F, Val
from dslc.passes.differentiate import differentiate
from tests.soundness.compare import Differs
from tests.soundness.rounding import Reference
from tests.soundness.slope import check_slope

WAYS: dict[str, tuple[Callable[[Val], Val], str]] = {
    "smooth": (lambda x: F.mean(F.tanh(x) * x), "agrees"),
    "in steps": (lambda x: F.mean(F.floor(x) * x), "agrees"),
    "at a kink": (lambda x: F.mean(F.abs(x - 0.5003)), "mistrusted: differences do not agree"),
    "at a kink nearer than any step": (lambda x: F.mean(F.relu(x - 0.5 + 1e-9)), "mistrusted: a kink at the point"),
    "stopped": (lambda x: F.mean(F.stop_gradient(x) * x), "not compared: a gradient is stopped on purpose"),
    "flat": (lambda x: F.mean(F.floor(x)), "not compared: no slope"),
}


def slope(write: Callable[[Val], Val]) -> str:
    builder = Builder("one")
    builder.output("loss", write(builder.input("weight", "x", tensor("f64", 4))))
    graph = builder.build()
    reference = Reference(differentiate(graph, "loss", ("x",)), {"x": np.array([0.5, 0.7, -1.3, 2.2])})
    return check_slope(graph, ("x",), reference)


@pytest.mark.parametrize("name", WAYS)
def test_what_is_said_of_a_slope(name: str) -> None:
    write, said = WAYS[name]
    assert said in slope(write)


def test_a_gradient_that_is_a_little_off_differs(monkeypatch: pytest.MonkeyPatch) -> None:
    row = TABLE["tanh"]
    rule = row.grad["x"]
    assert rule is not None
    monkeypatch.setitem(TABLE, "tanh", replace(row, grad={"x": lambda g, y, x: rule(g, y, x) * 1.00001}))
    with pytest.raises(Differs, match="the slope of the loss"):
        slope(WAYS["smooth"][0])
