"""`grad(loss, x)`, `stop_gradient` and `straight_through` in specs: values, second derivatives, ONNX."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest

from dslc.interpret import interpret
from dslc.ir.graph import Graph
from dslc.ir.types import DType
from dslc.ir.verify import verify
from dslc.loading import check_source
from dslc.passes.differentiate import differentiate
from dslc.passes.pipeline import optimize
from dslc.program import Program
from dslc.render import render_text
from dslc.source import Source

Arrays = Mapping[str, np.ndarray]


def program(text: str) -> Program:
    found, diagnostics = check_source(Source("test.nn", f"dslc 1\n\n{text}\n"), precision=DType.f64)
    assert found is not None, render_text(diagnostics)
    return found


def network(body: str, head: str = "") -> Graph:
    graph = next(iter(program(f"{head}\nnetwork Net {{\n{body}\n}}").networks.values())).evaluate
    verify(graph)
    return graph


def values(graph: Graph, sizes: Mapping[str, int] | None = None) -> dict[str, np.ndarray]:
    """Random values for all inputs."""
    rng = np.random.default_rng(3)
    known = {"batch": 3, **(sizes or {})}
    shapes = {item.name: graph.types[item.id].sizes(known) for item in graph.inputs}
    return {name: rng.uniform(-1, 1, shape) for name, shape in shapes.items()}


def slope(f: Callable[[float], float]) -> float:
    """f'(0) = (8 (f(h) - f(-h)) - (f(2h) - f(-2h))) / 12h + O(h⁴)."""
    h = 1e-3
    return (8 * (f(h) - f(-h)) - (f(2 * h) - f(-2 * h))) / (12 * h)


def along(graph: Graph, given: Arrays, output: str, name: str, direction: np.ndarray) -> float:
    """The derivative of a scalar output when one input moves along a direction."""
    return slope(lambda k: float(interpret(graph, np, {**given, name: given[name] + k * direction})[output]))


ENERGY = """
  input x: [batch, 3]
  layer first = dense(5)
  h = x -> first -> tanh
  energy = h -> dense(1)
  total = sum(energy)
  output e = total
  output gx = grad(total, x)
  output gh = grad(total, h)
  output fw, fb = grad(total, first.w, first.b)
"""


@pytest.mark.parametrize(("output", "name"), [("gx", "x"), ("fw", "Net.first.w"), ("fb", "Net.first.b")])
def test_the_gradient_is_the_slope(output: str, name: str) -> None:
    graph = network(ENERGY)
    given = values(graph)
    found = interpret(graph, np, given)[output]
    direction = np.random.default_rng(1).uniform(-1, 1, found.shape)
    assert abs(float((found * direction).sum()) - along(graph, given, "e", name, direction)) < 1e-10


def test_a_value_on_the_way_has_its_gradient() -> None:
    """d(h·w + b)/dh is w for each sample."""
    graph = network(ENERGY)
    given = values(graph)
    np.testing.assert_allclose(interpret(graph, np, given)["gh"], np.repeat(given["Net.dense1.w"].T, 3, axis=0), rtol=1e-14)


def test_a_value_and_what_it_is_made_of_at_once() -> None:
    graph = network("  input x: [batch, 3]\n  h = x ^ 2\n  y = sum(h ^ 2)\n  output a, b = grad(y, h, x)\n  output c = grad(y, x)")
    given = values(graph)
    found = interpret(graph, np, given)
    np.testing.assert_allclose(found["a"], 2 * given["x"] ** 2, rtol=1e-14)
    np.testing.assert_allclose(found["b"], 4 * given["x"] ** 3, rtol=1e-14)
    np.testing.assert_array_equal(found["b"], found["c"])


def test_gradients_of_gradients_of_gradients() -> None:
    """x⁴: 4x³, 12x², 24x, each the gradient of the sum of the one before."""
    body = "  input x: [batch]\n  a = grad(sum(x ^ 4), x)\n  b = grad(sum(a), x)\n  c = grad(sum(b), x)\n  output p, q, r = f(a, b, c)"
    graph = network(body, "block f(a: [n], b: [n], c: [n]) { return a * 1, b * 1, c * 1 }")
    given = values(graph)
    x, found = given["x"], interpret(graph, np, given)
    np.testing.assert_allclose(found["p"], 4 * x**3, rtol=1e-13)
    np.testing.assert_allclose(found["q"], 12 * x**2, rtol=1e-13)
    np.testing.assert_allclose(found["r"], 24 * x, rtol=1e-13)
    assert len({node.address for node in graph.nodes}) == len(graph.nodes)


def test_a_loop_of_gradients_is_newtons_method() -> None:
    """Each turn differentiates twice: the cube root of the input is found."""
    body = """
  input a: [batch]
  x = a * 0 + 1.5
  for i in 0..6 {
    f = sum((x ^ 4) / 4 - a * x)
    g = grad(f, x)
    x = x - g / grad(sum(g), x)
  }
  output root = x"""
    graph = network(body)
    given = {"a": np.array([1.0, 2.0, 3.0])}
    np.testing.assert_allclose(interpret(graph, np, given)["root"], np.cbrt(given["a"]), rtol=1e-12)


PENALTY = """
network Critic {
  input image: [batch, 1, 8, 8]
  h = image -> conv(3, 3, stride=2, pad=1) -> softplus -> avg_pool(2) -> op.normalize(axis=[1, 2, 3]) -> tanh
  output score = h -> flatten -> dense(1)
}

train {
  data = dataset("digits")
  x = reshape(data.image / 16, [batch, 1, 8, 8])
  net = Critic(x)
  g = grad(sum(net.score), x)
  norm = sqrt(sum(g ^ 2, axis=[1, 2, 3]) + 1e-12)
  loss: mean(net.score ^ 2)
  loss penalty: 10 * mean((norm - 1) ^ 2)
  optimizer: adam(0.01)
  epochs: 3
}
"""


def test_the_outer_gradient_passes_through_the_inner_one() -> None:
    """The gradient of a gradient penalty to every weight, against differences."""
    found = program(PENALTY)
    (step,) = found.trainings["train"].steps
    graph = differentiate(step.graph, "loss", step.trains)
    verify(graph)
    given = values(graph)
    given["data.image"] = np.abs(given["data.image"] * 16).astype(np.uint8)
    gradients = interpret(graph, np, given)
    faster = interpret(optimize(graph), np, given)
    for address in step.trains:
        gradient = gradients[f"grad:{address}"]
        direction = np.random.default_rng(1).uniform(-1, 1, gradient.shape)
        wanted = along(step.graph, given, "loss", address, direction)
        assert abs(float((gradient * direction).sum()) - wanted) < 1e-8 * max(1, abs(wanted)), address
        np.testing.assert_allclose(faster[f"grad:{address}"], gradient, rtol=1e-9, atol=1e-12)


def test_a_batch_is_penalised_sample_by_sample() -> None:
    """The gradient of a sum over samples holds that of each sample by itself."""
    graph = program(PENALTY).trainings["train"].evaluate
    given = values(graph)
    given["data.image"] = np.abs(given["data.image"] * 16).astype(np.uint8)
    alone = [interpret(graph, np, {**given, "data.image": given["data.image"][i : i + 1]})["loss.penalty"] for i in range(3)]
    np.testing.assert_allclose(np.mean(alone), interpret(graph, np, given)["loss.penalty"], rtol=1e-12)


# ---- stop_gradient, straight_through ------------------------------------------------------------------------------------------


def test_stop_gradient_has_the_value_and_no_gradient() -> None:
    graph = network("  input x: [batch, 3]\n  y = x * stop_gradient(x ^ 2)\n  output a = y\n  output b = grad(sum(y), x)")
    given = values(graph)
    found = interpret(graph, np, given)
    np.testing.assert_array_equal(found["a"], given["x"] * given["x"] ** 2)
    np.testing.assert_array_equal(found["b"], given["x"] ** 2)


def test_straight_through_has_the_value_of_one_and_the_gradient_of_the_other() -> None:
    body = """
  input x: [batch, 3]
  hard = x + sign(x)
  y = straight_through(hard, tanh(x))
  output a, h = identical(y, hard)
  output b = grad(sum(y * 2), x)"""
    graph = network(body, "block identical(y: [*s], h: [*s]) { return y * 1, h * 1 }")
    given = values(graph)
    found = interpret(graph, np, given)
    np.testing.assert_array_equal(found["a"], found["h"])
    np.testing.assert_allclose(found["b"], 2 * (1 - np.tanh(given["x"]) ** 2), rtol=1e-14)


def test_passes_drop_stop_gradient() -> None:
    graph = network("  input x: [batch, 3]\n  output a = stop_gradient(x * 2) + 1")
    assert [node.op for node in optimize(graph).nodes if node.op == "stop_gradient"] == []


# ---- export -------------------------------------------------------------------------------------------------------------------


def test_a_gradient_is_exported_as_ordinary_operators(tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime", reason="needs onnxruntime")
    from exporters.onnx.export import export_network

    net = program(f"network Net {{{ENERGY}}}").networks["Net"]
    given = values(net.evaluate)
    path = tmp_path / "energy.onnx"
    export_network(net, {w.address: given[w.address] for w in net.weights}, path)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    ours = interpret(net.evaluate, np, given)
    for name in ("gx", "fw"):
        np.testing.assert_allclose(session.run([name], {"x": given["x"]})[0], ours[name], rtol=1e-9, atol=1e-12)
