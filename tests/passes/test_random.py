"""Random graphs: each pass alone and all together compute what the plain interpreter computes, forward and gradient."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dslc.interpret import interpret
from dslc.ir.graph import Graph
from dslc.ir.text import from_text, to_text
from dslc.ir.types import DType
from dslc.ir.verify import verify
from dslc.ops.value import F, Val
from dslc.passes.differentiate import differentiate
from dslc.passes.drop_dead import drop_dead
from dslc.passes.fold import fold
from dslc.passes.pipeline import optimize
from dslc.passes.rewrite import resume
from dslc.passes.separate import separate
from dslc.passes.share import share
from dslc.passes.simplify import simplify
from dslc.plan import make_plan
from dslc.plan_check import check_plan
from tests.passes.plan_runner import run_plan
from tests.passes.random_graphs import Subject, subjects

# The same 40 graphs in every run; `EXAMPLES=10000 pytest tests/passes/test_random.py` draws as many new ones for each test.
few = settings(
    max_examples=int(os.environ.get("EXAMPLES", "40")),
    derandomize="EXAMPLES" not in os.environ,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def checked(name: str, graph: Graph) -> None:
    verify(graph)


def together(graph: Graph) -> Graph:
    return optimize(graph, after=checked)


def gradients(subject: Subject) -> Graph:
    return differentiate(subject.graph, "loss", subject.weights)


def same(found: Mapping[str, np.ndarray], wanted: Mapping[str, np.ndarray]) -> None:
    """Equal to the rounding of float64: `x ^ 2` as `x * x` may move the last bit."""
    assert found.keys() == wanted.keys()
    for name, value in wanted.items():
        assert found[name].dtype == value.dtype and found[name].shape == value.shape, name
        np.testing.assert_allclose(found[name], value, rtol=1e-11, atol=1e-13, err_msg=name)


@pytest.mark.parametrize("run", [drop_dead, simplify, fold, share, separate, together])
@few
@given(subject=subjects())
def test_a_pass_changes_no_result(run: Callable[[Graph], Graph], subject: Subject) -> None:
    graph = gradients(subject)
    verify(graph)
    result = run(graph)
    verify(result)
    same(interpret(result, np, subject.arrays), interpret(graph, np, subject.arrays))


@few
@given(subject=subjects())
def test_graphs_print_and_parse(subject: Subject) -> None:
    graph = gradients(subject)
    assert from_text(to_text(graph)) == graph


@few
@given(subject=subjects())
def test_a_second_optimisation_finds_little_and_stays_valid(subject: Subject) -> None:
    once = together(gradients(subject))
    twice = together(once)
    assert len(twice.nodes) <= len(once.nodes)


@few
@given(subject=subjects(largest=4))
def test_gradients_are_fourth_order_differences(subject: Subject) -> None:
    """Along one direction over all weights: f'(0) = (8 (f(h) - f(-h)) - (f(2h) - f(-2h))) / 12h + O(h⁴)."""
    rng = np.random.default_rng(0)
    directions = {name: np.asarray(rng.uniform(-1, 1, subject.arrays[name].shape)) for name in subject.weights}
    found = interpret(gradients(subject), np, subject.arrays)
    wanted = sum(float((found[f"grad:{name}"] * directions[name]).sum()) for name in subject.weights)
    forward = drop_dead(subject.graph.model_copy(update={"outputs": tuple(o for o in subject.graph.outputs if o.name == "loss")}))

    def loss(step: float) -> float:
        moved = {name: subject.arrays[name] + step * directions[name] for name in subject.weights}
        return float(interpret(forward, np, {**subject.arrays, **moved})["loss"])

    best = min(abs((8 * (loss(h) - loss(-h)) - (loss(2 * h) - loss(-2 * h))) / (12 * h) - wanted) for h in (1e-3, 3e-4, 1e-4))
    scale = sum(float(np.abs(found[f"grad:{name}"] * directions[name]).sum()) for name in subject.weights)
    assert best <= 1e-9 * max(scale, abs(loss(0)))


@few
@given(subject=subjects(largest=3))
def test_second_derivatives_are_differences_of_first_ones(subject: Subject) -> None:
    """The Hessian times a direction, by differentiating the slope along it, against differences of gradients in that direction."""
    rng = np.random.default_rng(1)
    directions = {f"d:{name}": np.asarray(rng.uniform(-1, 1, subject.arrays[name].shape)) for name in subject.weights}
    first = gradients(subject)
    builder = resume(first)
    slope = builder.constant(0, DType.f64)
    for name in subject.weights:
        value = Val(builder, first.output(f"grad:{name}"))
        slope = slope + F.sum(value * builder.input("data", f"d:{name}", value.type))
    builder.outputs = []
    builder.output("slope", slope)
    second = differentiate(builder.build(), "slope", subject.weights)
    verify(second)
    found = interpret(second, np, {**subject.arrays, **directions})

    def gradient(step: float) -> dict[str, np.ndarray]:
        return interpret(first, np, {**subject.arrays, **{n: subject.arrays[n] + step * directions[f"d:{n}"] for n in subject.weights}})

    h = 1e-3
    at = {k: gradient(k * h) for k in (-2, -1, 0, 1, 2)}
    for name in subject.weights:
        key = f"grad:{name}"
        wanted = (8 * (at[1][key] - at[-1][key]) - (at[2][key] - at[-2][key])) / (12 * h)
        scale = max(float(np.abs(at[0][other]).max()) for other in found if other != "slope")
        np.testing.assert_allclose(found[key], wanted, rtol=1e-6, atol=1e-7 * max(1.0, scale), err_msg=name)


@few
@given(subject=subjects())
def test_no_two_live_buffers_overlap(subject: Subject) -> None:
    graph = together(gradients(subject))
    names = [f"grad:{name}" for name in subject.weights]
    for contiguous in ((), names, names[::2]):
        plan = make_plan(graph, subject.dims, scratch=lambda node, inputs, outputs, dims: 100 * len(inputs), contiguous=contiguous)
        check_plan(plan)
        verify(plan.graph)
        assert plan.peak.bytes <= plan.arena_bytes


@few
@given(subject=subjects(), larger=st.integers(0, 2))
def test_a_plan_run_literally_computes_what_the_interpreter_computes(subject: Subject, larger: int) -> None:
    """Also at sizes below those it was planned for."""
    graph = together(gradients(subject))
    names = [f"grad:{name}" for name in subject.weights]
    dims = {name: size + larger for name, size in subject.dims.items()}
    plan = make_plan(graph, dims, scratch=lambda node, inputs, outputs, dims: 64 * len(inputs), contiguous=names[::2])
    same(run_plan(plan, subject.arrays), interpret(graph, np, subject.arrays))
