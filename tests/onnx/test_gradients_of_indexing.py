"""One network over the rows that order, index and arrange: its loss and gradients by the executor, and at every opset by onnxruntime."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from dslc.interpret import interpret
from dslc.ir.graph import Graph
from dslc.loading import check_source
from dslc.passes.differentiate import differentiate
from dslc.passes.pipeline import optimize
from dslc.source import Source
from exporters.onnx.backends import onnxruntime
from exporters.onnx.export import make_subject
from runtime.device import get_device
from runtime.executor import Executor
from tests.onnx.networks import network

pytest.importorskip("onnxruntime", reason='the comparison with onnxruntime needs: pip install "dslc[ort]"')

TEXT = """dslc 1
network N {
  input x: [batch, 6, 4]
  input label: i64[batch]
  h = x -> dense(8) -> prelu
  v, i = top_k(h, 3)
  s, _ = sort(h, axis=-1, descending=true)
  g = take_along_axis(h, i)
  c = scatter(h, i, v * 2.0, reduction="add") -> roll(1) -> flip(axis=1)
  e = scatter(h, i, v * 0.5, reduction="mul") -> scatter(argsort(h), s, reduction="max") -> cumprod(axis=1)
  m = masked_fill(c, c > 1.0, 0.5) + tril(einsum(c, e, equation="bij,bkj->bik") @ repeat(tile(s[:, :, 0:2], [1, 1, 2]), 2))
  y = concat(m, g, v) -> flatten -> dense(3)
  output y
  output loss = cross_entropy(y, label) + 0.01 * mean(sum(one_hot(label, 3) * y, axis=-1)) + 0.001 * mean(gram(unsqueeze(m, axis=-1)))
}
"""


@cache
def subject() -> tuple[Graph, dict[str, np.ndarray], dict[str, np.ndarray]]:
    """The loss with its gradients, the weights, the inputs."""
    program, found = check_source(Source("n.nn", TEXT))
    assert program is not None, [d.message for d in found]
    net = program.networks["N"]
    rng = np.random.default_rng(0)
    weights = {item.address: (rng.normal(size=item.type.sizes({})) * 0.5).astype(np.float32) for item in net.weights}
    inputs = {"x": rng.normal(size=(5, 6, 4)).astype(np.float32), "label": np.array([0, 1, 2, 1, 0])}
    return differentiate(net.evaluate, "loss", tuple(weights)), weights, inputs


def same(found: dict[str, np.ndarray], wanted: dict[str, np.ndarray]) -> None:
    assert found.keys() == wanted.keys()
    for key, array in wanted.items():
        scale = float(np.abs(array).max())
        np.testing.assert_allclose(found[key], array, rtol=1e-4, atol=1e-5 * scale, err_msg=key)


def test_the_executor() -> None:
    graph, weights, inputs = subject()
    same(
        Executor(optimize(graph), get_device("numpy"), {"batch": 5}).run({**weights, **inputs}), interpret(graph, np, {**weights, **inputs})
    )


@pytest.mark.parametrize("opset", [13, 14, 15, 17, 18, 20, 21, 22, 23])
def test_onnxruntime(opset: int) -> None:
    graph, weights, inputs = subject()
    found = onnxruntime(make_subject(network(graph), weights, opset=opset)[0].data)(inputs)
    same({output.name: array for output, array in zip(graph.outputs, found, strict=True)}, interpret(graph, np, {**weights, **inputs}))
