"""The pipeline: what it calls, and what it says when a pass fails; what differentiation refuses."""

from __future__ import annotations

import pytest

from dslc.diagnostics import InternalError, SpecError
from dslc.ir.graph import Graph
from dslc.ir.text import from_text
from dslc.ops import table
from dslc.passes.differentiate import differentiate
from dslc.passes.pipeline import PASSES, guarded, optimize

SIMPLE = """graph simple {
  %0: f32[n] = weight w
  %1: f32[n] = exp(%0) "exp0"
  %2: f32[] = sum(%1) {axis=none, keep=false} "sum0"
  output loss = %2
}"""


def test_after_is_called_with_every_pass_in_order() -> None:
    seen: list[tuple[str, int]] = []
    optimize(from_text(SIMPLE), after=lambda name, graph: seen.append((name, len(graph.nodes))))
    assert seen == [(run.__name__, 2) for run in PASSES]


def test_an_error_names_the_pass() -> None:
    def explode(graph: Graph) -> Graph:
        return from_text(SIMPLE).model_copy(update={"nodes": ()}).nodes[0]  # type: ignore[return-value]

    with pytest.raises(InternalError, match="the pass `explode` fails on the graph simple: IndexError"):
        guarded(explode, from_text(SIMPLE))


def test_differentiation_refuses_what_cannot_run_with_its_place() -> None:
    text = SIMPLE.replace('exp(%0) "exp0"', 'scan(%0) {sequences=1, carries=0, lengths=false} "scan0" @net.nn:3:1')
    with pytest.raises(SpecError, match=r"`scan` at net\.nn:3:1 cannot be run yet"):
        differentiate(from_text(text), "loss", ("w",))


def test_a_loss_must_be_a_float_scalar() -> None:
    with pytest.raises(InternalError, match="only a float scalar can be differentiated"):
        differentiate(from_text(SIMPLE.replace("loss = %2", "loss = %1")), "loss", ("w",))


def test_a_row_without_a_rule_is_a_fault_of_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    monkeypatch.setitem(table.TABLE, "exp", replace(table.lookup("exp"), grad={}))
    with pytest.raises(InternalError, match="the gradient of `exp` to its input `x`: the row has no rule"):
        differentiate(from_text(SIMPLE), "loss", ("w",))


def test_a_rule_that_gives_another_shape_is_a_fault_of_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    from dslc.ops.value import F

    monkeypatch.setitem(
        table.TABLE, "sum", replace(table.lookup("sum"), grad={"x": lambda g, y, x, **attrs: F.reshape(g, shape=(1, 1, 1))})
    )
    with pytest.raises(InternalError, match=r"it is f32\[1, 1, 1\], the input f32\[n\]"):
        differentiate(from_text(SIMPLE), "loss", ("w",))


def test_gradients_that_nobody_needs_are_not_built() -> None:
    text = """graph two {
      %0: f32[n, n] = weight w
      %1: f32[n, n] = data x
      %2: f32[n, n] = matmul(%0, %1) "matmul0"
      %3: f32[] = sum(%2) {axis=none, keep=false} "sum0"
      output loss = %3
    }"""
    graph = differentiate(from_text(text), "loss", ("w",))
    assert [node.op for node in graph.nodes].count("matmul") == 2  # forward and the gradient to w; none to x


@pytest.mark.parametrize("module", ["dslc.interpret", "dslc.passes.accumulate"])
def test_examples_in_docstrings_run(module: str) -> None:
    import doctest
    from importlib import import_module

    result = doctest.testmod(import_module(module))
    assert result.attempted and not result.failed
