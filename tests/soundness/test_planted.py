"""The harness can fail: faults are planted in the product, and the campaign reports each of them within a few cases."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest

import dslc.ops.table
import dslc.passes.share
import dslc.plan
import runtime.joined
from dslc.ir.graph import Graph
from dslc.passes import pipeline
from dslc.passes.plan_memory import Lifetimes, lifetimes
from dslc.passes.rewrite import Rewriter
from dslc.passes.share import attr_key
from runtime.bind import Binder
from runtime.kernels.registry import Call, Kernel
from tests.reliability.campaigns.graphs import CAMPAIGNS
from tests.soundness.planted import must_report

Patch = pytest.MonkeyPatch
MOST = 60  # cases
REPORTS = ("Differs:", "InternalError: error[internal-graph]: the graph step (plan)")  # by its results, or by the check of the plan


def wrong_gradient(op: str, name: str, factor: float) -> Callable[[Patch], None]:
    """A gradient rule that is off by a factor."""

    def plant(patch: Patch) -> None:
        row = dslc.ops.table.lookup(op)
        rule: Any = row.grad[name]
        patch.setitem(dslc.ops.table.TABLE, op, replace(row, grad={**row.grad, name: lambda *args, **attrs: rule(*args, **attrs) * factor}))

    return plant


def wrong_kernel(op: str, factor: float) -> Callable[[Patch], None]:
    """A kernel whose results are off by a factor."""

    def plant(patch: Patch) -> None:
        piece = Binder.piece

        def wrong(self: Binder, kernel: Kernel, call: Call, thread: int) -> Any:
            found = piece(self, kernel, call, thread)
            if call.op == op and call.outputs[0].dtype.kind == "f":
                found.steps.append(partial(np.multiply, call.outputs[0], factor, call.outputs[0]))
            return found

        patch.setattr(Binder, "piece", wrong)

    return plant


def dropped_edge(patch: Patch) -> None:
    """A pass that takes the first operand for the sum of two values of one type."""

    def drops(graph: Graph) -> Graph:
        rewriter = Rewriter(graph)
        for node in graph.nodes:
            types = {graph.types[id] for id in (*node.inputs, *node.outputs)}
            if node.op == "add" and len(types) == 1 and node.address.endswith("7"):
                rewriter.replace(node, rewriter.inputs(node)[:1])
            else:
                rewriter.keep(node)
        return rewriter.finish()

    patch.setattr(pipeline, "PASSES", (*pipeline.PASSES, drops))


def reused_too_early(patch: Patch) -> None:
    """A plan that gives memory away one step before the last reader has run."""

    def shorter(graph: Graph) -> Lifetimes:
        found = lifetimes(graph)
        end = len(found.steps)
        found.last = [last if last == end else max(first, last - 1) for first, last in zip(found.first, found.last, strict=True)]
        return found

    patch.setattr(dslc.plan, "lifetimes", shorter)


def any_number(value: Any) -> Any:
    return "a number" if isinstance(value, float) else attr_key(value)


PLANTED: dict[str, Callable[[Patch], None]] = {
    "a gradient of tanh that is off by 0.01 %": wrong_gradient("tanh", "x", 1.0001),
    "a gradient of a product that is off by 0.01 %": wrong_gradient("multiply", "b", 1.0001),
    "a kernel that is off by a millionth": wrong_kernel("multiply", 1 + 1e-6),
    "a kernel that is off by one rounding": wrong_kernel("sum", 1 + 2.0**-52),
    "a pass that drops an edge": dropped_edge,
    "a pass that takes all numbers for equal": lambda patch: patch.setattr(dslc.passes.share, "attr_key", any_number),
    "memory that is used again too early": reused_too_early,
    "an evaluation that forgets all batches but the last": lambda patch: patch.setitem(runtime.joined.JOINS, "sum", lambda a, b: b),
}


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_fault_is_reported(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    PLANTED[name](monkeypatch)
    must_report(CAMPAIGNS[0], MOST, REPORTS)
