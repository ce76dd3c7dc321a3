"""Rows with several results: the gradient where only one of the results is used."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dslc.interpret import interpret
from dslc.ir.graph import Graph
from dslc.ops.infer import evaluate
from dslc.ops.table import lookup
from dslc.ops.value import Builder, F
from dslc.passes.differentiate import differentiate, input_names
from tests.ops.test_table import DERIVED, difference, inputs_of, samples


def results_of(name: str) -> list[int]:
    """Their numbers; how many there are may differ between samples."""
    found = [len(evaluate(name, np, arrays, attrs)) for arrays, attrs in samples(name)]
    return list(range(max(found)))


@pytest.mark.parametrize(("name", "at"), [(name, at) for name in DERIVED if len(results_of(name)) > 1 for at in results_of(name)])
def test_the_gradient_of_one_result_alone(name: str, at: int) -> None:
    rng = np.random.default_rng(19)
    rules = lookup(name).grad
    for arrays, attrs in samples(name):
        made = graph_of(name, arrays, attrs, at, rng)
        if made is None:
            continue
        graph, given = made
        names = input_names(graph.nodes[0])
        for number, array in enumerate(arrays):
            if array.dtype.kind != "f" or rules[names[number]] is None:
                continue
            key, direction = f"x{number}", rng.uniform(-1, 1, array.shape)
            gradient = interpret(differentiate(graph, "loss", (key,)), np, given)[f"grad:{key}"]
            wanted, scale = float((gradient * direction).sum()), max(1.0, float(np.abs(gradient).sum()))
            best = min(abs(difference(graph, given, key, direction, h) - wanted) for h in (1e-3, 3e-4, 1e-4))
            assert best <= 1e-9 * scale, f"{name}, result {at}, for {key} with {attrs}: {best:.1e}"


def graph_of(
    name: str, arrays: list[np.ndarray], attrs: dict[str, Any], at: int, rng: np.random.Generator
) -> tuple[Graph, dict[str, np.ndarray]] | None:
    """Σ w·y over one result; None where it is no float, or not there."""
    b = Builder("sum")
    values = inputs_of(b, name, arrays)
    results = b.emit(name, [*values.values()], attrs)
    if at >= len(results) or not results[at].type.dtype.is_float:
        return None
    weights = rng.uniform(-1, 1, results[at].type.sizes({}))
    b.output("loss", F.sum(results[at] * b.input("input", "w", results[at].type)))
    return b.build(), {**dict(zip(values, arrays, strict=True)), "w": weights}
