"""Whole training steps with marks around every array: parameters, inputs, results, what lies between, and each thread's own."""

from __future__ import annotations

import pytest

from dslc.ir.graph import Graph
from runtime.kernels.native.program import Writing
from runtime.workers import Workers
from tests.loops.marked import GAP, Marked
from tests.loops.networks import SHAPES
from tests.loops.test_programs import subject, values
from tests.soundness.ways import gradients

SPECS = ("lenet", "mlp", *SHAPES)


def marked(graph: Graph, threads: int, gap: int = GAP) -> Marked:
    return Marked(graph, dict.fromkeys(graph.dims, 5), Workers(threads) if threads > 1 else None, gradients(graph), gap)


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("name", SPECS)
def test_nothing_beside_an_array_is_touched(name: str, threads: int) -> None:
    """For the planned size, for smaller ones, and for one sample; gaps, and memory that is used again, change no bit."""
    graph = subject(name)
    apart, plain = marked(graph, threads), marked(graph, threads, gap=0)
    for batch in (5, 3, 1):
        given = values(graph, batch, labels=5)
        found = apart.run(given)
        for name, array in plain.once(given, 0x11).items():
            assert array.tobytes() == found[name].tobytes(), name


class Longer(Writing):
    """The last thread computes one sample too many."""

    def share(self, length: str) -> tuple[str, str]:
        low, high = super().share(length)
        return low, self.code.add(high, "1")


def test_a_sample_too_many_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runtime.kernels.native.program.Writing", Longer)
    made = marked(subject("mlp"), 1)
    with pytest.raises(AssertionError, match="beside arrays were written"):
        made.run(values(subject("mlp"), 3, labels=5))


def test_a_sum_that_does_not_begin_with_zero_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Writing, "zero", lambda *_: None)
    made = marked(subject("lenet"), 2)
    with pytest.raises(AssertionError, match="hangs on what was in memory before"):
        made.run(values(subject("lenet"), 3, labels=5))
